"""Writes tests/support/cross-encoder: a cross-encoder small enough to be kept, for the tests alone.

It reads a question and a text as a trained one does (words, markers, which part a word stands in) and says
what share of the question's words the text has. It was never trained and knows only the words below.

    python -m pip install onnx==1.23.2 tokenizers==0.23.3 && python scripts/tiny-cross-encoder.py
"""

import json
import pathlib

import onnx
from onnx import TensorProto, helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = """
a about acoustic album and at baby beach bossa brazilian brutal carnival choir club cradle demons distorted
drum drums electronic fast for gentle guitar guitars hammer heavy in iron little loud lullaby machine metal
morning mother mothers night no nova nursery nylon of on piano pounding quiet rain rio samba screaming should
sings singing skull sleep sleeping soft song steel sun synthesizer techno that the through to trio untitled
war warehouse who with
""".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "support" / "cross-encoder"


def tokenizer():
    vocabulary = {word: index for index, word in enumerate(SPECIAL + WORDS)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    made.save(str(FOLDER / "tokenizer.json"))
    tokens = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    files = {
        "config.json": {"pad_token_id": 0},
        "special_tokens_map.json": tokens,
        "tokenizer_config.json": {"model_max_length": 512, **tokens},
    }
    for name, content in files.items():
        (FOLDER / name).write_text(json.dumps(content, indent=2) + "\n")


def graph():
    node = helper.make_node
    nodes = [
        node("Greater", ["input_ids", "last_special"], ["is_word"]),
        node("Cast", ["is_word"], ["word"], to=TensorProto.FLOAT),
        node("Cast", ["token_type_ids"], ["second"], to=TensorProto.FLOAT),
        node("Cast", ["attention_mask"], ["seen"], to=TensorProto.FLOAT),
        node("Mul", ["word", "seen"], ["real"]),
        node("Mul", ["real", "second"], ["in_text"]),
        node("Sub", ["real", "in_text"], ["in_question"]),
        node("Unsqueeze", ["input_ids", "axis_2"], ["rows"]),
        node("Unsqueeze", ["input_ids", "axis_1"], ["columns"]),
        node("Equal", ["rows", "columns"], ["is_same"]),
        node("Cast", ["is_same"], ["same"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["in_text", "axis_1"], ["text_columns"]),
        node("Mul", ["same", "text_columns"], ["same_in_text"]),
        node("ReduceMax", ["same_in_text", "axis_2"], ["is_found"], keepdims=0),
        node("Mul", ["is_found", "in_question"], ["found"]),
        node("ReduceSum", ["found", "axis_1"], ["found_count"], keepdims=1),
        node("ReduceSum", ["in_question", "axis_1"], ["asked_count"], keepdims=1),
        node("Max", ["asked_count", "one"], ["at_least_one"]),
        node("Div", ["found_count", "at_least_one"], ["share"]),
        node("Mul", ["share", "scale"], ["scaled"]),
        node("Sub", ["scaled", "shift"], ["logits"]),
    ]
    constants = [
        helper.make_tensor("last_special", TensorProto.INT64, [1], [len(SPECIAL) - 1]),
        helper.make_tensor("axis_1", TensorProto.INT64, [1], [1]),
        helper.make_tensor("axis_2", TensorProto.INT64, [1], [2]),
        helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor("scale", TensorProto.FLOAT, [1], [8.0]),
        helper.make_tensor("shift", TensorProto.FLOAT, [1], [4.0]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ["input_ids", "attention_mask", "token_type_ids"]
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
    made = helper.make_model(
        helper.make_graph(nodes, "share-of-words", inputs, [output], constants),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.checker.check_model(made)
    onnx.save(made, str(FOLDER / "model.onnx"))


FOLDER.mkdir(parents=True, exist_ok=True)
tokenizer()
graph()
