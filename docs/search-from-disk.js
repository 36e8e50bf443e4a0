/* Browsers start no worker for a page from a disk. The search of the documentation runs in a hidden frame there. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const whole = new URL(address, document.baseURI).href;
      this.onmessage = null;
      this.onerror = null;
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      const start = inside.document;
      const said = (data) => {
        const event = new MessageEvent("message", { data });
        if (this.onmessage) this.onmessage(event);
        this.dispatchEvent(event);
      };
      inside.postMessage = (data) => setTimeout(() => said(data));
      inside.importScripts = (...addresses) => addresses.reduce((before, each) => before.then(() => new Promise((done) => {
        const script = start.createElement("script");
        script.src = new URL(each, whole).href;
        script.onload = script.onerror = done;
        start.body.append(script);
      })), Promise.resolve());
      inside.importScripts(whole).then(() => {
        this.ready = true;
        this.waiting.splice(0).forEach((data) => this.postMessage(data));
      });
    }

    postMessage(data) {
      if (!this.ready) { this.waiting.push(data); return; }
      const inside = this.frame.contentWindow;
      inside.dispatchEvent(new inside.MessageEvent("message", { data }));
    }

    terminate() { this.frame.remove(); }
  };
}
