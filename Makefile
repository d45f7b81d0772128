# minigpt: from web pages to a language model. `make` alone lists what there is.
#
# Every stage is a command that reads files and writes files; the rules below say which. A stage
# writes its target last and in one piece: an interrupted `make train` goes on where it stopped,
# and a finished one does nothing. Names of files must be without blanks and quotes: make's rule.

# ---- what to train on and how; give any of these on the command line -------------------------
# a site to crawl, its address or addresses; default: the documentation of Python's library,
# which every Python installation can serve itself (pydoc)
SITE =
# fetch at most so many pages; default: the preset's
PAGES =
# more flags for crawl, as "--include /docs/"; `python -m crawler crawl --help` lists them
CRAWL =
# WARC or WET files (Common Crawl's format) to read instead of crawling
WARC =
# text or JSON Lines files to train on as they are: neither crawl nor cleaning; of JSON Lines "text"
# is learnt, and facts are taken from "text" and "title" with "url" as their source
TEXT =
# how large and how long: smoke, tiny, small, shakespeare-cpu, gpt2 ...; `python -m minigpt presets` describes them
PRESET = tiny
# number of symbols of the tokenizer; default: the preset's
VOCAB =
# more flags for pretrain, as "--steps 5000"; `python -m minigpt pretrain --help` lists them
TRAIN =
# your own conversations to fine-tune on, JSON Lines, beside those made of the documents
CHAT =
# more flags for sft, as "--steps 3000"; `python -m minigpt sft --help` lists them
SFT =
# cleaning rules: web (prose, strict) or reference (documentation); default: web for WARC, else
# reference, for whoever names a site has chosen its pages
PROFILE =
# where `make chat` is found: 127.0.0.1:PORT, or the next port that is free
PORT = 8000
# what an hour of this machine costs, in dollars, for the report; default: 0.10
PRICE =
# what starts a program on several machines that train together, as "mpiexec -n 2 --hosts red,blue";
# with DEVICE=gpu a process for each GPU, as "mpiexec -n 4"
LAUNCH =
# cpu or gpu
DEVICE = cpu
# on a GPU fp32, tf32 or bf16; default: bf16 where the GPU can
PRECISION =
# the packages for it: gpu for CUDA 13, gpu-cuda12 for CUDA 12
GPU_EXTRA = gpu
# a .tiktoken file of GPT-4's pattern, for `make bench` to encode with
RANKS =
# pages for `make bench` to extract: JSON Lines with "html" and "url"
HTML =
# where everything goes
OUT = out
# the interpreter that makes the virtual environment, and where that is
PYTHON = python3
VENV = .venv
# an interpreter that has everything already: then no virtual environment is made
PY = $(VENV)/bin/python

# a mistyped variable would be ignored, and the wrong thing trained for a quarter of an hour
SETTINGS = SITE PAGES CRAWL WARC TEXT PRESET VOCAB TRAIN CHAT SFT PROFILE PORT PRICE LAUNCH DEVICE \
	PRECISION GPU_EXTRA RANKS HTML OUT PYTHON VENV PY
OF_MAKE = SHELL MAKEFLAGS MAKEOVERRIDES
GIVEN = $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
ifneq ($(filter-out $(SETTINGS) $(OF_MAKE),$(GIVEN)),)
$(error $(firstword $(filter-out $(SETTINGS) $(OF_MAKE),$(GIVEN))) is no setting; \
the settings are $(SETTINGS))
endif
ifneq ($(words $(OUT)),1)
$(error OUT is '$(OUT)'; it must be one folder, without blanks in its name)
endif
ifneq ($(filter-out web reference,$(PROFILE)),)
$(error PROFILE is '$(PROFILE)'; it must be web or reference)
endif
# of two that contradict each other one would be ignored
SOURCES = $(strip $(foreach name,SITE WARC TEXT,$(if $($(name)),$(name))))
ifneq ($(word 2,$(SOURCES)),)
$(error $(word 1,$(SOURCES)) and $(word 2,$(SOURCES)) are given; \
the pages or the text come from one of SITE, WARC and TEXT: leave the others out)
endif
OF_CRAWL = $(strip $(foreach name,PAGES CRAWL,$(if $(value $(name)),$(name))))
ifneq ($(and $(WARC)$(TEXT),$(OF_CRAWL)),)
$(error $(firstword $(OF_CRAWL)) and $(SOURCES) are given; \
with $(SOURCES) nothing is crawled: leave one of them out)
endif
ifneq ($(and $(TEXT),$(PROFILE)),)
$(error PROFILE and TEXT are given; a text is not cleaned: leave one of them out)
endif

.PHONY: help train chat trained report summary test peers bench driver lint clean FORCE
.SUFFIXES:
# stages use all cores themselves, and two pips are one too many in an environment
.NOTPARALLEL:

help:
	@echo 'make train     crawl -> clean -> tokenizer -> pretrain -> fine-tune -> report'
	@echo '               PRESET=smoke         a minute, it babbles; small: 50 minutes'
	@echo '               SITE=https://...     crawl this site (PAGES=500 at most)'
	@echo '               CRAWL="--include /docs/"  more flags for crawl'
	@echo '               WARC="a.warc.gz b"   read archives instead'
	@echo '               TEXT=book.txt        train on a text as it is (also .jsonl, .gz)'
	@echo '               TRAIN="--steps 5000" flags for pretrain; SFT= for fine-tuning'
	@echo '               CHAT=my.jsonl        your own conversations too'
	@echo '               LAUNCH="mpiexec -n 2 --hosts a,b"    several machines'
	@echo '               DEVICE=gpu LAUNCH="mpiexec -n 4"     several GPUs, a process each'
	@echo '               PROFILE=web|reference   rules for prose, or for documentation;'
	@echo '                                    web for WARC=, else reference'
	@echo '               OUT=out VOCAB= PYTHON=python3'
	@echo '               DEVICE=cpu|gpu PRECISION=fp32|tf32|bf16 GPU_EXTRA=gpu|gpu-cuda12'
	@echo 'make chat      talk to the model in the browser, and look into it (PORT=8000)'
	@echo 'make summary   where things are, what they cost, what the model writes'
	@echo 'make report    examine again, and make $(OUT)/report.html (PRICE=0.10 an hour)'
	@echo 'make test      everything that proves it works'
	@echo 'make peers     the tests that need PyTorch and transformers (a large download)'
	@echo 'make bench     speed, beside the libraries everybody uses, in turns'
	@echo '               TEXT="a.txt b.txt"   HTML=pages.jsonl.gz    on these texts, pages'
	@echo '               DEVICE=gpu TEXT=tinyshakespeare.txt         a GPU, beside PyTorch'
	@echo 'make lint      the style of the source'
	@echo 'make clean     remove $(VENV) and caches; what was trained, in $(OUT)/, stays'

# ---- the stages ------------------------------------------------------------------------------
ifneq ($(TEXT),)
DOCUMENTS = $(TEXT)
else
DOCUMENTS = $(OUT)/documents.jsonl.gz
endif
ifneq ($(WARC),)
ARCHIVES = $(WARC)
else
ARCHIVES = $(OUT)/pages.warc.gz
endif
RULES = $(or $(PROFILE),$(if $(WARC),web,reference))
TOKENIZER = $(OUT)/tokenizer/tokenizer.json
# an mpiexec of the package mpich comes first
MPI = $(if $(LAUNCH),PATH="$(abspath $(VENV))/bin:$$PATH" $(LAUNCH))
CHECK_MPI = $(MPI) $(PY) -c 'import mpi4py' || \
	{ echo 'make: LAUNCH is $(LAUNCH); it must start Python with mpi4py on every machine' >&2; exit 2; }
ON = $(DEVICE)$(if $(PRECISION),:$(PRECISION))
# with what `make chat` needs, so that the network is needed once
ENVIRONMENT = $(addprefix $(VENV)/.,$(or $(strip $(filter gpu,$(DEVICE)) $(if $(LAUNCH),cluster)),chat))

train: $(OUT)/base/training.json $(OUT)/base/model.safetensors \
		$(OUT)/chat/model.safetensors $(OUT)/chat/evaluation.json $(OUT)/report.html
	@$(if $(DRY),,$(SAY_WHERE))
SAY_WHERE = made=$(OUT)/base; test ! -f $(OUT)/chat/training.json || made=$(OUT)/chat; \
	echo "$$made is up to date; \`make summary$(OUT_AS_GIVEN)\` shows it"
OUT_AS_GIVEN = $(if $(filter-out out,$(OUT)), OUT=$(OUT))

# once: a finished crawl with these settings stays, or comes back from .previous
$(OUT)/pages.warc.gz: $(OUT)/settings/crawl
	@echo '--- 1/6 crawl: fetch pages, follow their links'
	@$(CRAWL_FROM) --max-pages $(N_PAGES) $(CRAWL_AS_GIVEN) --once -o $@
CRAWL_FROM = $(PY) -m crawler crawl $(or $(foreach url,$(SITE),'$(url)'),--pydoc)
CHECK_CRAWL = $(CRAWL_FROM) $(CRAWL_AS_GIVEN) --check $(if $(filter -h --help,$(CRAWL)),&& exit 2)
# a $ at the end of a pattern is no variable
CRAWL_AS_GIVEN = $(value CRAWL)

# A target that exists is whole: make must not delete it when something later fails or is stopped.
.PRECIOUS: $(OUT)/pages.warc.gz $(OUT)/documents.jsonl.gz $(TOKENIZER) $(OUT)/tokens/tokens.json \
	$(OUT)/base/training.json $(OUT)/conversations/conversations.json $(OUT)/chat/training.json \
	$(OUT)/chat/evaluation.json $(OUT)/report.html $(OUT)/settings/.checked

# a file that was named but does not exist is left to the stage, which says so
$(OUT)/documents.jsonl.gz: $(OUT)/settings/clean $(if $(WARC),$(wildcard $(WARC)),$(ARCHIVES))
	@echo '--- 2/6 clean: keep what is worth learning from'
	@$(PY) -m crawler clean $(ARCHIVES) --profile $(RULES) -o $@

$(TOKENIZER): $(OUT)/settings/tokenizer $(if $(TEXT),$(wildcard $(TEXT)),$(DOCUMENTS))
	@echo '--- 3/6 tokenizer: learn symbols longer than a byte'
	@$(PY) -m bpe train $(DOCUMENTS) --vocab-size $(N_SYMBOLS) $(if $(VOCAB),,--at-most) -o $@

$(OUT)/tokens/tokens.json: $(TOKENIZER)
	@echo '--- 4/6 tokens: write the documents as numbers'
	@$(PY) -m minigpt tokenize $(DOCUMENTS) --tokenizer $(TOKENIZER) -o $(OUT)/tokens

$(OUT)/base/training.json: $(OUT)/settings/pretrain $(OUT)/tokens/tokens.json
	@echo '--- 5/6 pretrain: learn to predict the next token'
	@$(PRETRAIN)
PRETRAIN = $(MPI) $(PY) -m minigpt pretrain --preset $(PRESET) --tokens $(OUT)/tokens \
	--tokenizer $(TOKENIZER) --device $(ON) -o $(OUT)/base $(TRAIN)
SUMMARY = $(PY) -m minigpt summary $(OUT) --device $(ON) $(WITHOUT)
WITHOUT = --without $(if $(TEXT),crawl clean,$(if $(WARC),crawl,none))

# somebody deleted it: the training state can give it back
$(OUT)/base/model.safetensors: | $(OUT)/base/training.json
	@test -f $@ || $(PRETRAIN)

# of a plain text no facts are made: its documents have no titles
$(OUT)/conversations/conversations.json: $(OUT)/settings/conversations $(OUT)/base/training.json \
		$(wildcard $(CHAT))
	@echo '--- 6/6 fine-tune: learn to answer, from conversations'
	@$(PY) -m minigpt conversations $(filter %.jsonl %.jsonl.gz,$(DOCUMENTS)) \
		$(if $(CHAT),--chat $(CHAT)) --facts $(N_FACTS) --base $(OUT)/base -o $(OUT)/conversations

# Where the conversations do not fit the window, sft says so and makes none of these files. Then it
# is asked, and says so, each time.
LEARNT_FROM = $(OUT)/settings/sft $(OUT)/base/training.json $(OUT)/conversations/conversations.json
$(OUT)/chat/training.json: $(LEARNT_FROM)
	@$(SFT_RUN)
SFT_RUN = $(MPI) $(PY) -m minigpt sft $(OUT)/base --conversations $(OUT)/conversations \
	--if-fits --device $(ON) -o $(OUT)/chat $(SFT)

$(OUT)/chat/evaluation.json: $(OUT)/chat/training.json
	@test ! -f $< || $(EXAMINE_CHAT)
EXAMINE_CHAT = $(PY) -m minigpt evaluate-chat $(OUT)/chat --base $(OUT)/base \
	--conversations $(OUT)/conversations --device $(ON)

$(OUT)/chat/model.safetensors: | $(OUT)/chat/training.json
	@test -f $@ || test ! -f $(OUT)/chat/training.json || $(SFT_RUN)

# what was fine-tuned before, also by hand
HAS_CHAT = $(wildcard $(OUT)/chat/training.json)
# it is made again for other models, not for what somebody has examined by hand meanwhile
$(OUT)/report.html: $(LEARNT_FROM) $(HAS_CHAT) \
		| $(OUT)/chat/training.json $(OUT)/chat/evaluation.json
	@echo '--- report: what the base model knows, copies and invents'
	@$(REPORT)
	@$(SUMMARY)
REPORT = $(PY) -m minigpt evaluate $(OUT)/base --documents $(DOCUMENTS) --device $(ON) --brief \
	&& $(PY) -m minigpt report $(OUT) --documents $(DOCUMENTS) \
		$(if $(PRICE),--price $(PRICE)) $(WITHOUT)

report: $(if $(filter $(VENV)/bin/python,$(PY)),$(ENVIRONMENT))
	@$(if $(and $(wildcard $(OUT)/chat/training.json),$(wildcard $(OUT)/conversations/questions.jsonl)),\
		$(EXAMINE_CHAT))
	@$(REPORT)

summary: $(if $(filter $(VENV)/bin/python,$(PY)),$(ENVIRONMENT))
	@$(SUMMARY)

chat: | trained $(if $(filter $(VENV)/bin/python,$(PY)),$(VENV)/.chat \
		$(if $(filter gpu,$(DEVICE)),$(VENV)/.gpu))
	@$(PY) -m minigpt serve $(OUT) --device $(ON) --port $(PORT)

# a folder that `make train` is at work in is fine: the page shows how it goes
trained:
	@$(if $(wildcard $(OUT)/settings $(OUT)/*/config.json),,\
		$(error there is nothing in $(OUT) yet; `make train$(OUT_AS_GIVEN)` makes it))

# What each stage is asked for, in a file that changes only if the words do: so a stage is made
# again when it is asked for something else.
ASK = $(PY) -m minigpt presets $(PRESET)
N_PAGES = $(or $(PAGES),$$($(ASK) pages))
N_FACTS = $$($(ASK) facts)
N_SYMBOLS = $(or $(VOCAB),$$($(ASK) vocab_size))
SETTINGS_crawl     = 'SITE=$(SITE)' "PAGES=$(N_PAGES)" $(if $(CRAWL_AS_GIVEN),'CRAWL=$(QUOTED_CRAWL)')
QUOTED_CRAWL = $(subst ','\'',$(CRAWL_AS_GIVEN))
SETTINGS_clean     = 'WARC=$(WARC)' 'PROFILE=$(RULES)'
SETTINGS_tokenizer = 'TEXT=$(TEXT)' "VOCAB=$(N_SYMBOLS)"
SETTINGS_pretrain  = "$$($(ASK) settings)" 'TRAIN=$(TRAIN)'
SETTINGS_conversations = 'CHAT=$(CHAT)' "FACTS=$(N_FACTS)"
SETTINGS_sft       = 'SFT=$(SFT)'

# `make -n` runs no rule and would take all words for new: it compares them before.
# := since in recipes of GNU make 3.81, that of macOS, MAKEFLAGS may begin with a setting
DRY := $(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
new_words = $(shell exec 2> /dev/null; asked=$$(echo $(SETTINGS_$1)); \
	test "$$asked" = "$$(cat $(OUT)/settings/$1)" || echo FORCE)
.SECONDEXPANSION:
$(OUT)/settings/%: $$(if $(DRY),$$(call new_words,$$*),FORCE) | $(OUT)/settings/.checked
	@asked=$$(echo $(SETTINGS_$*)); test "$$asked" = "$$(cat $@ 2> /dev/null)" || \
		printf '%s\n' "$$asked" > $@

# What cannot work should be said first, not after the crawl.
$(OUT)/settings/.checked: $(if $(DRY),,FORCE) | $(if $(filter $(VENV)/bin/python,$(PY)),$(ENVIRONMENT))
	@$(PY) -m minigpt check --preset '$(PRESET)' --device '$(ON)' \
		--train='$(TRAIN)' --sft='$(SFT)' $(if $(LAUNCH),--launched) \
		$(if $(VOCAB),--vocab-size '$(VOCAB)') $(if $(PAGES),--pages '$(PAGES)') \
		$(if $(CHAT),--chat $(CHAT)) --text $(TEXT) --files $(filter-out - @%,$(WARC))
	@$(if $(or $(TEXT),$(WARC)),,$(if $(SITE)$(CRAWL_AS_GIVEN),$(CHECK_CRAWL)))
	@$(if $(LAUNCH),$(CHECK_MPI))
	@mkdir -p $(OUT)/settings && touch $@ || \
		{ echo 'make: OUT=$(OUT) cannot be written to; give another folder' >&2; exit 2; }

FORCE:

# ---- the virtual environment: one stamp for each set of packages --------------------------------
# compat: Python finds the packages by a path, not by a hook that costs each start 25 ms
$(VENV)/.%: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'make: $(PYTHON) must be Python 3.11 or newer; give one with PYTHON=...' >&2; exit 2; }
	@$(VENV)/bin/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || \
		{ echo 'make: $(PYTHON) -m venv failed; on Debian: apt install python3-venv' >&2; exit 2; }
	@echo 'installing packages into $(VENV), once'
	@$(VENV)/bin/python -m pip install -q --disable-pip-version-check \
		--config-settings editable_mode=compat -e '.$(EXTRA_$*)'
	@touch $@
# two gigabytes of packages are of no use without it
$(VENV)/.gpu: | driver
driver:
	@test -e /dev/nvidia0 || command -v nvidia-smi > /dev/null || \
		{ echo 'make: DEVICE=gpu needs an NVIDIA GPU and its driver; none was found' >&2; exit 2; }
EXTRA_chat  = [chat]
EXTRA_cluster = [cluster]
EXTRA_test  = [test]
EXTRA_peers = [test,bench]
EXTRA_bench = [test,bench]
EXTRA_gpu   = [$(GPU_EXTRA)]

# ---- proof -------------------------------------------------------------------------------------
test: $(VENV)/.test $(if $(filter gpu,$(DEVICE)),$(VENV)/.gpu)
	# many files at once, in the order of tests/conftest.py; compiled once, not for each process
	PYTHONDONTWRITEBYTECODE= $(VENV)/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

peers: $(VENV)/.peers
	$(VENV)/bin/python -m pytest -m peer

bench: $(VENV)/.bench $(if $(filter gpu,$(DEVICE)),$(VENV)/.gpu)
ifeq ($(DEVICE),gpu)
	@$(VENV)/bin/python tests/bench_gpu.py -o $(OUT) $(if $(TEXT),--text $(firstword $(TEXT)))
else
	@echo '--- the tokenizer'
	@$(VENV)/bin/python tests/bench_bpe.py $(TEXT) $(if $(RANKS),--ranks $(RANKS))
	@echo '--- the crawl'
	@$(VENV)/bin/python tests/bench_crawl.py
	@echo '--- the model'
	@$(VENV)/bin/python tests/bench_sample.py
	@echo '--- training'
	@$(VENV)/bin/python tests/bench_train.py
	@echo '--- the server'
	@$(VENV)/bin/python tests/bench_serve.py
	@echo '--- near-duplicates'
	@$(VENV)/bin/python tests/bench_dedup.py
ifneq ($(HTML),)
	@echo '--- extraction'
	@$(VENV)/bin/python tests/bench_extract.py $(HTML)
endif
ifneq ($(TEXT),)
	@echo '--- filters'
	@$(VENV)/bin/python tests/bench_filters.py $(firstword $(TEXT))
endif
endif

lint: $(VENV)/.test
	$(VENV)/bin/ruff check minigpt bpe crawler tests
	$(VENV)/bin/ruff format --check minigpt bpe crawler tests

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './$(OUT)/*' -exec rm -rf {} +
