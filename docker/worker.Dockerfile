# A CPU worker.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY pyproject.toml constraints.txt README.md ./
COPY regrow regrow
COPY core core
COPY api api
COPY worker worker
COPY sweeper sweeper
COPY client client
COPY cli cli
COPY benchmarks benchmarks
# The CPU build of PyTorch: the registry's default brings several GB of CUDA packages.
RUN pip install --constraint constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu '.[serve,fit]'

RUN useradd --system --create-home regrow
USER regrow
# Compiled kernels are kept here between restarts.
ENV NUMBA_CACHE_DIR=/home/regrow/.cache/numba

STOPSIGNAL SIGTERM
CMD ["python", "-m", "regrow.worker"]
