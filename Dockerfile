# The command line and the app on a CPU: docker build -t clinsynth . && docker run -p 7860:7860 clinsynth
FROM python:3.11-slim
RUN pip install --no-cache-dir torch --index-url https://download.pytorch.org/whl/cpu
WORKDIR /clinsynth
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[app,llm]' && useradd --create-home reader
USER reader
RUN clinsynth snapshot submissions --no-statistics --out /home/reader/snapshot
EXPOSE 7860
CMD ["clinsynth", "leaderboard", "--snapshot", "/home/reader/snapshot", "--host", "0.0.0.0"]
