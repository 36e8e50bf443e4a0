# The command line and the app on a CPU: docker build -t clinsynth . && docker run -p 7860:7860 clinsynth
FROM python:3.11-slim
WORKDIR /clinsynth
# torch's build for CPUs, of the version that constraints.txt names: PyPI's brings 5 GB for a GPU.
COPY constraints.txt .
RUN pip install --no-cache-dir -c constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu torch
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[app,llm]' && useradd --create-home reader
USER reader
RUN clinsynth snapshot submissions --no-statistics --out /home/reader/snapshot
EXPOSE 7860
CMD ["clinsynth", "leaderboard", "--snapshot", "/home/reader/snapshot", "--host", "0.0.0.0"]
