"""GPT-2 in PyTorch as an engineer would write it for speed: the peer that training is raced with.

Fused attention, the tanh form of GELU, the token embedding used twice, fused AdamW with decay on
matrices only, gradients clipped by norm. It loads the weights of one of our models.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.n_head, self.dropout = c.n_head, c.dropout
        self.ln_1, self.ln_2 = nn.LayerNorm(c.n_embd), nn.LayerNorm(c.n_embd)
        self.c_attn = nn.Linear(c.n_embd, 3 * c.n_embd)
        self.attn_proj = nn.Linear(c.n_embd, c.n_embd)
        self.c_fc = nn.Linear(c.n_embd, 4 * c.n_embd)
        self.mlp_proj = nn.Linear(4 * c.n_embd, c.n_embd)

    def forward(self, x):
        B, T, C = x.shape
        heads = self.c_attn(self.ln_1(x)).view(B, T, 3, self.n_head, C // self.n_head)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout, is_causal=True)
        x = x + drop(self.attn_proj(y.transpose(1, 2).reshape(B, T, C)), self.dropout)
        h = F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh")
        return x + drop(self.mlp_proj(h), self.dropout)


def drop(x, rate):
    return F.dropout(x, rate) if rate else x


class TorchGPT(nn.Module):
    """The model of a ModelConfig; `forward` gives the mean loss of a batch."""

    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd)
        self.dropout = config.dropout

    def forward(self, ids, targets):
        x = drop(self.wte(ids) + self.wpe.weight[: ids.shape[1]], self.dropout)
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))

    def load(self, params):
        """Take the weights of one of our models; theirs are stored (out, in).

        Rows of `wte` that ours does not have become 0.
        """
        with torch.no_grad():
            for name, w in self.named_parameters():
                ours = torch.from_numpy(params[our_name(name)])
                ours = ours.T if w.ndim == 2 and "blocks" in name else ours
                w.zero_()
                w[: len(ours)] = ours
        return self

    def optimizer(self, c):
        """AdamW as a TrainConfig asks for it."""
        matrices = [w for w in self.parameters() if w.ndim >= 2]
        vectors = [w for w in self.parameters() if w.ndim < 2]
        groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        return torch.optim.AdamW(
            groups, lr=c.learning_rate, betas=(c.beta1, c.beta2), eps=c.epsilon,
            weight_decay=c.weight_decay, fused=True,
        )  # fmt: skip


def our_name(name):
    """Translate a parameter's name here to the one it has in ours."""
    name = name.replace("blocks.", "h.")
    for part in ("c_attn", "attn_proj"):
        name = name.replace(f".{part}", ".attn." + part.replace("attn_proj", "c_proj"))
    return name.replace(".c_fc", ".mlp.c_fc").replace(".mlp_proj", ".mlp.c_proj")
