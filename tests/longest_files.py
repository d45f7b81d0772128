"""How many seconds the longest test files take, roughly: conftest.py begins with them.

Measured on two cores of an AMD EPYC (Zen 3). It is no harm if they have changed since: the order
is a little worse.
"""

# what computes all the time
COMPUTE = {
    "test_make.py": 65,
    "test_minigpt_cuda_kernels.py": 33,
    "test_minigpt_bench_gpu.py": 23,
    "test_crawler_clean.py": 20,
    "test_minigpt_sample.py": 20,
    "test_minigpt_decode.py": 18,
    "test_minigpt_cuda_ops.py": 16,
    "test_minigpt_captured.py": 14,
    "test_minigpt_engine.py": 14,
    "test_crawler_extract.py": 13,
    "test_crawler_crawl.py": 12,
    "test_bpe_fast.py": 8,
    "test_bpe_stream.py": 8,
    "test_minigpt_costs.py": 8,
    "test_bpe_fast_merge.py": 7,
    "test_minigpt_train.py": 7,
    "test_minigpt_model.py": 7,
    "test_minigpt_planted.py": 7,
}
# what waits now and then: for a browser, for other processes, for the end of a pause
WAIT = {
    "test_playground_views.py": 35,
    "test_playground_chat.py": 30,
    "test_playground_saved.py": 25,
    "test_playground_names.py": 20,
    "test_make_interrupted.py": 18,
    "test_crawler_main.py": 18,
    "test_minigpt_cluster.py": 20,
    "test_minigpt_cluster_gpu.py": 20,
    "test_minigpt_kill.py": 14,
    "test_playground_markdown.py": 12,
    "test_playground_tokens.py": 12,
    "test_minigpt_resume.py": 12,
    "test_playground_access.py": 11,
    "test_minigpt_main.py": 10,
    "test_minigpt_pretrain.py": 10,
    "test_minigpt_crew.py": 9,
    "test_minigpt_api_guard.py": 8,
    "test_minigpt_serve.py": 7,
    "test_playground_training.py": 5,
    "test_bpe_page_browser.py": 5,
}
