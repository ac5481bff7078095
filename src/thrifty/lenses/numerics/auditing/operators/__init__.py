"""Operators of torch by kind: `kinds` lists names, `handlers` picks what is done; `single` does those that are one operation, `writing` those that write.

`composed` does sums, products and what kernels run in several steps: `steps` takes apart softmax, norms and activations, `attending` attention, `convolving`
convolutions. All but `kinds` import torch.
"""

__all__: list[str] = []
