# docker build --target checks .             what CI checks, on a clean tree
# docker build --tag car-segmentation .      the service, with model.keras and threshold.json in this folder

FROM python:3.12-slim AS checks
RUN apt-get update && apt-get install --yes --no-install-recommends git make
WORKDIR /project
COPY . .
RUN .ci/run

FROM python:3.12-slim AS service
RUN useradd --create-home car
WORKDIR /project
COPY pyproject.toml requirements.lock README.md ./
COPY src src
COPY conf conf
RUN python -m pip install --no-cache-dir --constraint requirements.lock --editable . && chown car /project
USER car
COPY model.keras threshold.json model/
EXPOSE 5001
HEALTHCHECK --start-period=60s CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:5001/ready', timeout=5)"
ENTRYPOINT ["python", "-m", "car_segmentation.serving", "--host", "0.0.0.0"]
CMD ["model/model.keras"]
