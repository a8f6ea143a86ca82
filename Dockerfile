# The app:           docker build -t posepipe .
#                    docker run --rm -p 127.0.0.1:8501:8501 -v posepipe:/data posepipe
# The command line:  docker run --rm --user "$(id -u)" -v "$PWD:/data" posepipe posepipe analyze walk.mp4
ARG PYTHON=3.13
# c3d, netCDF and so on: --build-arg EXTRAS=app,batch,formats (ezc3d has no wheel for ARM).
ARG EXTRAS=app,batch

FROM python:${PYTHON}-slim-trixie AS build
RUN pip install --no-cache-dir build
COPY . /src
RUN python -m build --wheel --outdir /dist /src

FROM python:${PYTHON}-slim-trixie
ARG EXTRAS
# What OpenCV's wheel expects of the system.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0t64 && rm -rf /var/lib/apt/lists/*
COPY --from=build /dist /dist
RUN pip install --no-cache-dir "$(ls /dist/*.whl)[${EXTRAS}]"
RUN useradd --create-home posepipe && install -d -o posepipe -m 777 /data
USER posepipe
# BlazePose's networks, in a layer of their own; read by whatever user the container runs as.
ENV HOME=/home/posepipe POSEPIPE_HOME=/home/posepipe/cache PYTHONUNBUFFERED=1
RUN posepipe models get && chmod -R a+rwX /home/posepipe
WORKDIR /data
VOLUME /data
EXPOSE 8501
HEALTHCHECK --start-period=60s CMD ["python", "-c", "from urllib.request import urlopen as u; u('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["posepipe", "app", "--address", "0.0.0.0", "--no-browser", "--library", "/data"]
