#!/usr/bin/env bash
# usage: scripts/growth.sh COHORT [EXPERTS...]
# What growing costs: tokens per second on this machine without workers and with 2, 4 and 8, for 1, 8 and 64 sequences,
# with as many experts as named (64, 256 and 512). The checkpoints are made in a temporary folder, which is removed
# again: four mixture layers of experts of 2048 x 256, up to 3.6 GB.
set -euo pipefail
cohort=$(realpath "${1:?usage: scripts/growth.sh COHORT [EXPERTS...]}")
shift
[ $# -gt 0 ] || set -- 64 256 512
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for experts in "$@"; do
    cat > "$work/config.json" <<END
{"model_type": "deepseek_v3", "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 6144,
 "moe_intermediate_size": 256, "num_hidden_layers": 5, "first_k_dense_replace": 1, "num_attention_heads": 16,
 "num_key_value_heads": 16, "q_lora_rank": 768, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
 "v_head_dim": 128, "n_routed_experts": $experts, "n_shared_experts": 1, "num_experts_per_tok": 8, "n_group": 8,
 "topk_group": 4, "scoring_func": "sigmoid", "topk_method": "noaux_tc", "norm_topk_prob": true,
 "routed_scaling_factor": 2.5, "rms_norm_eps": 1e-6, "rope_theta": 10000, "max_position_embeddings": 4096,
 "hidden_act": "silu", "attention_bias": false, "moe_layer_freq": 1, "num_nextn_predict_layers": 0,
 "tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 1, "torch_dtype": "bfloat16"}
END
    "$cohort" synth "$work/config.json" "$work/model" --seed 1 --dtype fp8 >&2
    echo "$experts experts"
    "$cohort" bench decode "$work/model" --local 0,2,4,8 --batch 1,8,64 --prompt 16 --prefill-chunk 128 --tokens 24 \
        --runs 2 | tail -n +2
    rm -r "$work/model"
done
