#!/usr/bin/env python3
"""Training steps of small networks in PyTorch (float64), for TrainingFixtureTests.swift to repeat.

    python3 make_fixtures.py

writes NAME.safetensors beside itself: the first weights under "before.", inputs, the loss of each step, the last weights
under "after.". Written with PyTorch 2.13; another version's first weights differ, and the tests do not mind.
"""
import json
import os
import struct

import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {torch.float64: "F64", torch.int64: "I64"}


def write(name, tensors):
    header, data = {}, b""
    for key, value in tensors.items():
        raw = value.detach().contiguous().numpy().tobytes()
        header[key] = {"dtype": TYPES[value.dtype], "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(HERE, name + ".safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def record(name, net, x, labels, optimizer, steps=3, clip=None, forward=None):
    tensors = {"x": x, "labels": labels}
    tensors.update({"before." + key: value.clone() for key, value in net.state_dict().items()})
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        y = forward(net, x) if forward else net(x)
        loss = F.cross_entropy(y.reshape(-1, y.shape[-1]), labels.reshape(-1))
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        losses.append(loss.detach())
    tensors["losses"] = torch.stack(losses)
    tensors.update({"after." + key: value for key, value in net.state_dict().items()})
    write(name, tensors)


class Characters(nn.Module):
    def __init__(self, cell, **options):
        super().__init__()
        self.embedding = nn.Embedding(7, 5)
        self.recurrent = cell(5, 6, **options)
        self.output = nn.Linear(6 * (2 if options.get("bidirectional") else 1), 7)

    def forward(self, x):
        return self.output(self.recurrent(self.embedding(x))[0])


torch.set_default_dtype(torch.float64)
torch.manual_seed(1)
images, classes = torch.randn(6, 1, 16, 16), torch.arange(6) % 5
lenet = nn.Sequential(
    nn.Conv2d(1, 3, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(3, 4, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(16, 12), nn.Sigmoid(), nn.Linear(12, 5))
record("lenet_adam", lenet, images, classes, torch.optim.Adam(lenet.parameters(), lr=0.01))
normed = nn.Sequential(
    nn.Conv2d(1, 4, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, groups=4),
    nn.GroupNorm(2, 4), nn.GELU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.LayerNorm(16), nn.Linear(16, 5))
record("normed_sgd", normed, images, classes, torch.optim.SGD(normed.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01))
letters = torch.randint(0, 7, (9, 4))
following = (letters + 1) % 7
for name, cell, options in (
    ("lstm_clipped", nn.LSTM, {"num_layers": 2, "bidirectional": True}), ("gru_clipped", nn.GRU, {}), ("rnn_clipped", nn.RNN, {"num_layers": 2})):
    net = Characters(cell, **options)
    record(name, net, letters, following, torch.optim.RMSprop(net.parameters(), lr=0.01), clip=0.5)
