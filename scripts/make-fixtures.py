#!/usr/bin/env python3
"""Makes Tests/Fixtures: small checkpoints with reference outputs by transformers (f32, eager).

usage: scripts/make-fixtures.py SHARED [NAME ...]

SHARED is the folder with `fixtures/` and `oracle/` of this project; the oracle needs torch, transformers,
safetensors, tokenizers and numpy. Without names all are made. The two `tiny-*` are copied; the others are small members
of the family that those two leave out, made and computed by the oracle.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "Fixtures")
COPIED = ["tiny-r1-fp8", "tiny-r1-bf16"]
KEPT = ["model", "reference.json", "reference_logits.safetensors"]

YARN = {"beta_fast": 32, "beta_slow": 1, "factor": 40, "original_max_position_embeddings": 64, "type": "yarn"}
SMALL = dict(
    vocab_size=640, n_base=500, hidden_size=96, intermediate_size=160, moe_intermediate_size=16, num_hidden_layers=3,
    num_attention_heads=3, q_lora_rank=None, kv_lora_rank=48, qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=24,
    num_experts_per_tok=4, n_shared_experts=2, max_position_embeddings=2560)
V2 = dict(
    SMALL, model_type="deepseek_v2", architectures=["DeepseekV2ForCausalLM"], scoring_func="softmax",
    norm_topk_prob=False, num_nextn_predict_layers="__drop__", n_routed_experts=32, router_gain=1.0,
    auto_map={
        "AutoConfig": "configuration_deepseek.DeepseekV2Config", "AutoModel": "modeling_deepseek.DeepseekV2Model",
        "AutoModelForCausalLM": "modeling_deepseek.DeepseekV2ForCausalLM"},
    rope_scaling=dict(YARN, mscale=0.707, mscale_all_dim=0.707))
# name: (preset, seed, settings, one file without an index)
MADE = {
    "fp8-odd": ("tiny-r1-fp8", 273, dict(
        SMALL, hidden_size=136, intermediate_size=168, moe_intermediate_size=40, q_lora_rank=56, kv_lora_rank=72,
        qk_rope_head_dim=24, qk_nope_head_dim=20, v_head_dim=28, n_routed_experts=16, num_experts_per_tok=3,
        n_group=4, topk_group=2, n_shared_experts=1, block=[64, 64], shard_mb=0.25,
        rope_scaling=dict(YARN, mscale=1.0, mscale_all_dim=1.0)), False),
    "qnull-norope": ("tiny-r1-bf16", 74, dict(
        SMALL, first_k_dense_replace=0, n_routed_experts=24, n_group=1, topk_group=1, routed_scaling_factor=2.446,
        norm_topk_prob=True, rope_scaling=None, rope_theta=50000.0), True),
    "v2-group": ("tiny-r1-bf16", 171, dict(
        V2, topk_method="group_limited_greedy", n_group=4, topk_group=2, routed_scaling_factor=16.0,
        expert_gain=0.25), False),
    "v2-lite": ("tiny-r1-bf16", 72, dict(
        V2, topk_method="greedy", n_group=1, topk_group=1, routed_scaling_factor=1.0), False),
}
# Token ids for all of these: one, a few, and enough to pass several chunks and the original context.
PROMPTS = [("one", 1), ("short", 12), ("p120", 120)]


def make(name, oracle, target):
    preset, seed, settings, is_single = MADE[name]
    sets = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    model = os.path.join(target, "model")
    run(oracle, "make_model.py", f"presets/{preset}.json", model, "--seed", str(seed), "--set", *sets)
    if is_single:
        os.remove(os.path.join(model, "model.safetensors.index.json"))
        shards = [file for file in os.listdir(model) if file.endswith(".safetensors")]
        assert len(shards) == 1, shards
        os.rename(os.path.join(model, shards[0]), os.path.join(model, "model.safetensors"))


def prompts(path):
    state = 1
    result = []
    for name, count in PROMPTS:
        ids = [0]
        while len(ids) < count:
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            ids.append(3 + (state >> 33) % 480)
        result.append({"name": name, "ids": ids})
    with open(path, "w") as file:
        json.dump(result, file)


def run(oracle, script, *arguments):
    """Runs an oracle's script; the tokenizer's configuration is that of the copied fixtures."""
    path = os.path.join(oracle, "..", "fixtures", COPIED[0], "model", "tokenizer_config.json")
    code = (
        "import json, runpy, sys, tok_lib; path, *sys.argv = sys.argv[1:]; "
        "tok_lib.seed_tokenizer_config = lambda: json.load(open(path, encoding='utf-8')); "
        "runpy.run_path(sys.argv[0], run_name='__main__')")
    subprocess.run(
        [sys.executable, "-c", code, path, script, *arguments], cwd=oracle, check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": oracle})


def reference(oracle, target):
    """The oracle reads an index: a single file gets one for the while."""
    index = os.path.join(target, "model", "model.safetensors.index.json")
    single = os.path.join(target, "model", "model.safetensors")
    if os.path.exists(single):
        with open(single, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        names = {name: "model.safetensors" for name in header if name != "__metadata__"}
        with open(index, "w") as file:
            json.dump({"metadata": {}, "weight_map": names}, file)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "prompts.json")
        prompts(path)
        run(oracle, "reference.py", os.path.join(target, "model"), target, "--seed", "0", "--prompts", path)
    if os.path.exists(single):
        os.remove(index)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    shared = os.path.abspath(sys.argv[1])
    for name in sys.argv[2:] or COPIED + list(MADE):
        target = os.path.join(ROOT, name)
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        if name in COPIED:
            for kept in KEPT:
                source = os.path.join(shared, "fixtures", name, kept)
                (shutil.copytree if kept == "model" else shutil.copy)(source, os.path.join(target, kept))
        else:
            oracle = os.path.join(shared, "oracle")
            make(name, oracle, target)
            reference(oracle, target)
        for extra in set(os.listdir(target)) - set(KEPT):
            os.remove(os.path.join(target, extra))
        for folder, _, files in os.walk(target):
            for file in files:
                os.chmod(os.path.join(folder, file), 0o644)


if __name__ == "__main__":
    main()
