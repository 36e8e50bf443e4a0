"""A bundle holds what it says and nothing that must stay, is whole or not there, and installs without a network."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Submit
from tests.invented_snapshot import write as write_snapshot

from clinsynth.bundle import LISTING, Request, plan_bundle, write_bundle
from clinsynth.bundle import installer as installing
from clinsynth.bundle.contents import why_left_out
from clinsynth.bundle.packages import LOCK, collect, pinned
from clinsynth.cli import main
from clinsynth.core import TASKS, UserError, progress, sha256_file
from clinsynth.data import manifest
from clinsynth.data.manifest import Manifest, SplitFacts

ROOT = Path(__file__).parents[1]
PRIVATE = "Mrs Alvarez fell at home"


def prepared(root: Path, *names: str) -> None:
    """Prepared tasks of one file each, which nobody opens."""
    for name in names:
        spec = TASKS[name].spec
        folder = root / name / f"v{spec.version}"
        (folder / "test").mkdir(parents=True)
        (folder / "test" / "data.arrow").write_text(f"{PRIVATE}, says {name}")
        facts = SplitFacts(1, "f", {}, {"data.arrow": sha256_file(folder / "test" / "data.arrow")})
        manifest.write(folder, Manifest(name, spec.version, "0", {"test": facts}, {}, {}, {}))


@pytest.fixture
def request_for(tmp_path: Path, submit: Submit) -> Request:
    """Everything but packages and students, from folders made for it."""
    prepared(tmp_path / "data", "gad", "healthver", "mednli")
    (tmp_path / "subs").mkdir()
    toy = submit({"gad": 5}).rename(tmp_path / "subs" / "toy")
    (toy / "runs" / "gad").mkdir(parents=True)
    (toy / "runs" / "gad" / "seed0.json").write_text("{}")
    (toy / "generation").mkdir()
    (toy / "generation" / "prompts.json").write_text(PRIVATE)
    (toy / "runs" / "link.json").symlink_to("/etc/passwd")
    write_snapshot(tmp_path / "snapshot", 3)
    return Request(
        out=tmp_path / "out" / "bundle.zip", recipes=(), data_dir=tmp_path / "data", snapshot=tmp_path / "snapshot",
        submissions=tmp_path / "subs", packages=False,
    )  # fmt: skip


def written(request: Request) -> Path:
    write_bundle(request, plan_bundle(request))
    return request.out


def names_in(bundle: Path) -> set[str]:
    with zipfile.ZipFile(bundle) as archive:
        return set(archive.namelist())


def install(bundle: Path, *words: object) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603 - our own file
        [sys.executable, str(bundle), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def test_what_must_stay_is_not_in_it(request_for: Request) -> None:
    names = names_in(written(request_for))
    assert "data/gad/v2/test/data.arrow" in names
    assert "submissions/toy/runs/gad/seed0.json" in names
    assert "snapshot/snapshot.json" in names
    others = {name for name in names if name.startswith("data/")} - {"data/gad/v2/test/data.arrow"}
    assert others == {"data/gad/v2/manifest.json"}
    assert not [name for name in names if "/data/" in name or "generation" in name or "link" in name]
    said = dict(plan_bundle(request_for).left_out)
    assert "--restricted-data" in said["data of mednli"]
    assert "none stated" in said["data of healthver"]
    assert "not prepared" in said["data of hoc"]


def test_with_its_flag_restricted_data_goes_along_and_is_its_owners_alone(request_for: Request) -> None:
    assert written(request_for).stat().st_mode & 0o777 == 0o644
    both = replace(request_for, unlicensed=True, restricted=True)
    bundle = written(both)
    assert {"data/mednli/v1/test/data.arrow", "data/healthver/v1/test/data.arrow"} <= names_in(bundle)
    assert bundle.stat().st_mode & 0o777 == 0o600
    assert install(bundle, bundle.parent / "here")[0] == 0
    assert (bundle.parent / "here").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("task", TASKS)
def test_no_task_goes_along_unless_its_licence_is_known(task: str) -> None:
    spec = TASKS[task].spec
    free = not why_left_out(spec, unlicensed=False, restricted=False)
    assert free == (spec.access == "open" and "none stated" not in spec.licence[:25])
    assert not why_left_out(spec, unlicensed=True, restricted=True)
    assert bool(why_left_out(spec, unlicensed=True, restricted=False)) == (spec.access != "open")


@pytest.mark.parametrize("licence", ["", "not stated", "all rights reserved", "No copying. MIT", "CC-like", "MITx"])
def test_a_licence_that_is_not_known_is_none(licence: str) -> None:
    spec = replace(TASKS["gad"].spec, licence=licence)
    assert "--unlicensed-data" in why_left_out(spec, unlicensed=False, restricted=False)


def test_a_file_that_changed_since_it_was_prepared_is_refused(request_for: Request, tmp_path: Path) -> None:
    (tmp_path / "data" / "gad" / "v2" / "test" / "data.arrow").write_text("other")
    with pytest.raises(UserError, match="not as it was prepared"):
        plan_bundle(request_for)


def test_what_is_asked_for_by_name_must_be_here(request_for: Request) -> None:
    with pytest.raises(UserError, match="hoc is not prepared"):
        plan_bundle(replace(request_for, tasks=("hoc",)))


def test_the_same_contents_give_the_same_bytes(request_for: Request, tmp_path: Path) -> None:
    first = written(request_for).read_bytes()
    again = written(replace(request_for, out=tmp_path / "again.zip"))
    assert again.read_bytes() == first
    assert str(tmp_path).encode() not in again.read_bytes()


def test_it_unpacks_goes_on_and_knows_when_it_is_done(request_for: Request, tmp_path: Path) -> None:
    bundle, here = written(request_for), tmp_path / "here"
    status, said = install(bundle, here)
    assert status == 0, said
    with zipfile.ZipFile(bundle) as archive:
        for name in set(archive.namelist()) - {LISTING, "__main__.py"}:
            assert (here / name).read_bytes() == archive.read(name)
    assert "installed already" in install(bundle, here)[1]
    (here / ".installed").unlink()
    (here / "data" / "gad" / "v2" / "test" / "data.arrow").write_text("torn")
    assert install(bundle, here)[0] == 0
    assert PRIVATE in (here / "data" / "gad" / "v2" / "test" / "data.arrow").read_text()
    status, said = install(bundle, "--list", "--check")
    assert status == 0
    assert "data of gad" in said
    assert "not in it: data of mednli" in said


def test_the_digest_of_the_listing_is_known_beforehand(request_for: Request, tmp_path: Path) -> None:
    digest = write_bundle(request_for, plan_bundle(request_for)).listing_sha256
    assert install(request_for.out, tmp_path / "here", "--expect", digest)[0] == 0
    status, said = install(request_for.out, tmp_path / "there", "--expect", "0" * 64)
    assert (status, (tmp_path / "there").exists()) == (2, False)
    assert digest in said


def _flip(bundle: Path) -> None:
    content = bundle.read_bytes()
    at = content.index(PRIVATE.encode())
    bundle.write_bytes(content[:at] + b"M?" + content[at + 2 :])


def _cut(bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-2000])


def _more(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr("wheels/other-1.0-py3-none-any.whl", "x")


def _relisted(change: Callable[[dict[str, str]], None]) -> Callable[[Path], None]:
    def rewrite(bundle: Path) -> None:
        with zipfile.ZipFile(bundle) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        listing = json.loads(files[LISTING])
        old = listing["files"][0]["name"]
        change(listing["files"][0])
        files[listing["files"][0]["name"]] = files.pop(old)
        files[LISTING] = json.dumps(listing).encode()
        with zipfile.ZipFile(bundle, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)

    return rewrite


HARMED: dict[str, Callable[[Path], None]] = {
    "a changed byte": _flip,
    "cut": _cut,
    "a file more": _more,
    "a name outside": _relisted(lambda each: each.update(name="../outside")),
    "an absolute name": _relisted(lambda each: each.update(name="/tmp/outside")),  # noqa: S108
    "another digest": _relisted(lambda each: each.update(sha256="0" * 64)),
}


@pytest.mark.parametrize("case", HARMED)
def test_a_damaged_bundle_is_told_and_nothing_is_half_there(request_for: Request, tmp_path: Path, case: str) -> None:
    bundle = written(request_for)
    with zipfile.ZipFile(bundle) as archive:
        good = {name: archive.read(name) for name in archive.namelist()}
    HARMED[case](bundle)
    # Python itself refuses a file that has no end: the installer is called beside it then.
    shutil.copy(installing.__file__, tmp_path / "installer.py")
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", "import sys, installer, pathlib; sys.exit(installer.main(sys.argv[2:], "
         "pathlib.Path(sys.argv[1])))", str(bundle), str(tmp_path / "here" / "in")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert done.stderr.startswith("bundle.zip: ")
    folder = tmp_path / "here" / "in"
    assert not (folder / ".installed").exists()
    for path in folder.rglob("*") if folder.exists() else ():
        assert path.is_dir() or path.read_bytes() == good[path.relative_to(folder).as_posix()]
    assert not (tmp_path / "here" / "outside").exists()


def test_a_bundle_for_another_python_says_so(request_for: Request, tmp_path: Path) -> None:
    bundle = written(request_for)
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    listing = json.loads(files[LISTING]) | {"requirement": "clinsynth==0", "python": "2.7"}
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in (files | {LISTING: json.dumps(listing).encode()}).items():
            archive.writestr(name, content)
    status, said = install(bundle, tmp_path / "here")
    assert (status, (tmp_path / "here").exists()) == (2, False)
    assert "Python 2.7" in said


def test_what_a_killed_call_left_is_written_over_and_two_at_once_are_told(request_for: Request) -> None:
    request_for.out.parent.mkdir()
    request_for.out.write_text("the old one")
    part = request_for.out.with_name(".bundle.zip.part")
    part.write_bytes(b"half" * 1000)
    contents = plan_bundle(request_for)
    with part.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="written by another call"):
            write_bundle(request_for, contents)
    assert request_for.out.read_text() == "the old one"
    write_bundle(request_for, contents)
    assert install(request_for.out, "--check")[0] == 0
    assert [path.name for path in request_for.out.parent.iterdir()] == ["bundle.zip"]


def test_a_file_that_changes_meanwhile_leaves_the_old_bundle(request_for: Request, tmp_path: Path) -> None:
    before = written(request_for).read_bytes()
    contents = plan_bundle(request_for)
    (tmp_path / "data" / "gad" / "v2" / "test" / "data.arrow").write_text("x" * len(f"{PRIVATE}, says gad"))
    with pytest.raises(UserError, match="changed while it was read"):
        write_bundle(request_for, contents)
    assert request_for.out.read_bytes() == before


@pytest.mark.usefixtures("tiny_recipe")
def test_a_dry_run_tells_and_writes_nothing(request_for: Request, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bundle", str(request_for.out), "--no-wheels", "--recipes", "tiny.v1"]
    words += [
        "--data-dir",
        str(request_for.data_dir),
        "--snapshot",
        str(request_for.snapshot),
        "--submissions",
        str(request_for.submissions),
    ]
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "data of gad" in said
    assert "nothing was written" in said
    assert not request_for.out.parent.exists()
    assert main(words) == 0
    assert "--expect" in capsys.readouterr().out
    assert {"weights/tiny-bert/config.json", "weights/tiny-bert/model.safetensors"} <= names_in(request_for.out)


# ------------------------------------------------------------------ packages


def wheel(folder: Path, name: str, version: str, code: str) -> Path:
    """A wheel of one module, as small as one may be."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }

    def digest(text: str) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()

    record = "".join(f"{path},sha256={digest(text)},{len(text)}\n" for path, text in files.items())
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            archive.writestr(each, text)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A stand-in for the checkout: its clinsynth prints a version, and needs one small package of its lock."""
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "wheels").mkdir()
    needed = wheel(tmp_path / "wheels", "tinydep", "1.0", "WORD = 'tiny'\n")
    unneeded = wheel(tmp_path / "wheels", "notneeded", "2.0", "")
    (source / LOCK).write_text(
        f"tinydep==1.0 \\\n    --hash=sha256:{sha256_file(needed)}\n"
        f"notneeded==2.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{sha256_file(unneeded)}\n"
    )
    (source / "clinsynth_stand_in.py").write_text(
        "import sys, tinydep\ndef main():\n    print('stand-in', tinydep.WORD, *sys.argv[1:])\n"
    )
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "clinsynth"\nversion = "0.1.0"\nrequires-python = ">=3.11"\ndependencies = ["tinydep"]\n'
        '[project.scripts]\nclinsynth = "clinsynth_stand_in:main"\n'
        '[tool.hatch.build.targets.wheel]\nonly-include = ["clinsynth_stand_in.py"]\n'
    )
    return source


def test_the_lock_is_read_whole() -> None:
    packages = pinned(ROOT)
    lines = (ROOT / LOCK).read_text("utf-8").splitlines()
    assert len(packages) == sum(not line.startswith((" ", "#")) for line in lines if line.strip())
    assert all(each.hashes and each.version for each in packages)
    # Of torch it is the build that needs nothing which the lock has not.
    torch = next(each for each in packages if each.name == "torch")
    assert len(torch.hashes) == 1
    assert f"# CPU build of torch: {next(iter(torch.hashes))}\n" in (ROOT / "constraints.txt").read_text("utf-8")
    text = re.sub(r"^torch==(?:.*\\\n)+.*\n", "", (ROOT / LOCK).read_text("utf-8"), flags=re.MULTILINE)
    found = {one for each in packages if each.name != "torch" for one in each.hashes}
    assert found == set(re.findall("sha256:([0-9a-f]{64})", text))


def test_packages_that_are_needed_go_along_and_install_without_a_network(
    request_for: Request, checkout: Path, tmp_path: Path
) -> None:
    request = replace(request_for, packages=True, extras=(), wheels=tmp_path / "wheels", source=checkout)
    names = {name for name in names_in(written(request)) if name.startswith("wheels/")}
    assert names == {"wheels/clinsynth-0.1.0-py3-none-any.whl", "wheels/tinydep-1.0-py3-none-any.whl"}
    here = tmp_path / "over there"
    status, said = install(request.out, here)
    assert status == 0, said
    assert "stand-in tiny --version is installed" in said
    done = subprocess.run([here / "clinsynth", "x y"], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "stand-in tiny x y\n"
    # Settings of the machine do not matter, and a call that was stopped goes on.
    (here / ".installed").unlink()
    (here / "wheels" / "tinydep-1.0-py3-none-any.whl").write_text("torn")
    assert install(request.out, here)[0] == 0


def test_packages_that_are_not_of_the_lock_are_refused(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "wheels" / "tinydep-1.0-py3-none-any.whl").unlink()
    wheel(tmp_path / "wheels", "tinydep", "1.0", "WORD = 'other'\n")
    lock = (checkout / LOCK).read_text()
    with progress("t", 1) as bar, pytest.raises(UserError, match="pip download failed"):
        collect(checkout, tmp_path / "wheels", (), bar)
    # Neither is one that the lock does not know at all.
    (checkout / LOCK).write_text("notneeded" + lock.partition("notneeded")[2])
    with progress("t", 1) as bar, pytest.raises(UserError, match="other packages than the lock"):
        collect(checkout, tmp_path / "wheels", (), bar)


def test_without_a_checkout_the_packages_cannot_be_had(request_for: Request, tmp_path: Path) -> None:
    request = replace(request_for, packages=True, source=tmp_path)
    with pytest.raises(UserError, match="no checkout"):
        write_bundle(request, plan_bundle(request))
    assert not list(request.out.parent.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(
    "CLINSYNTH_BUNDLE" not in os.environ, reason="downloads a gigabyte: set CLINSYNTH_BUNDLE to a folder"
)
def test_the_real_bundle_installs_and_runs_where_there_is_no_network(tmp_path: Path) -> None:
    """All packages of the lock, installed and used without any route. CLINSYNTH_BUNDLE is where packages are kept."""
    kept = Path(os.environ["CLINSYNTH_BUNDLE"])
    if subprocess.run(["unshare", "-n", "true"], check=False).returncode:  # noqa: S607
        pytest.skip("no network namespace can be made here")
    out, here = tmp_path / "clinsynth.zip", tmp_path / "here"
    words = ["bundle", out, "--wheels", kept, "--submissions", ROOT / "submissions", "--source", ROOT]
    assert main([str(word) for word in words]) == 0

    def offline(*command: object) -> str:
        done = subprocess.run(  # noqa: S603 - our own words
            ["unshare", "-n", *map(str, command)],  # noqa: S607
            capture_output=True, text=True, check=False, cwd=here if here.exists() else tmp_path,
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    offline(sys.executable, out, here)
    assert "mean of the types" in offline("./clinsynth", "standings", "--no-statistics")
    offline("./clinsynth", "generate", "template", "--tasks", "gad", "--rows", "40", "--sample", "--out", "made")
    offline("./clinsynth", "score", "made", "--tasks", "gad", "--rows", "40", "--sample", "--seeds", "0")
    offline("./clinsynth", "verify", "made", "--sample")
