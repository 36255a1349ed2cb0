#!/usr/bin/env python3
"""Embed texts with fastembed for Python whenever a line comes in, and print the seconds it took.

    bench-fastembed.py FOLDER THREADS    FOLDER has model.onnx and the tokenizer's files

The first line of the input is a JSON list of texts and is answered when the model is warm. The benchmark
`local` runs this in turns with Kindred. The batch is fastembed's own, 256 texts.
"""

import json
import sys
import time

from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType

MAX_TOKENS = 256  # as Kindred and sentence-transformers have it


def main():
    folder, threads = sys.argv[1:]
    texts = json.loads(sys.stdin.readline())
    TextEmbedding.add_custom_model(
        model="kindred/bench",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="kindred/bench"),
        dim=384,
        model_file="model.onnx",
    )
    model = TextEmbedding("kindred/bench", specific_model_path=folder, threads=int(threads))
    model.model.tokenizer.enable_truncation(MAX_TOKENS)
    list(model.embed(texts[:16]))
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        count = len(list(model.embed(texts)))
        assert count == len(texts)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
