"""Cells of many shapes, each with an output that does not depend on the time."""

from __future__ import annotations

SETUP = """
import copy, logging, os, random, sys, traceback, warnings
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import numpy as np, torch, transformers
from torch import nn
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import GenerationConfig, PreTrainedTokenizerFast

words = "[PAD] [UNK] [BOS] [EOS] the cat sat on mat a dog lay rug and then it ran away".split()
words += [f"w{number}" for number in range(60 - len(words))]
backend = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, "[UNK]"))
backend.pre_tokenizer = pre_tokenizers.Whitespace()
backend.post_processor = processors.TemplateProcessing("[BOS] $A", special_tokens=[("[BOS]", 2)])
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", bos_token="[BOS]",
    eos_token="[EOS]", model_max_length=64, padding_side="left",
)
tokenizer.chat_template = (
    "{% for message in messages %}{{ message['role'] }} {{ message['content'] }} {% endfor %}"
)

sizes = dict(vocab_size=60, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
             num_attention_heads=4, max_position_embeddings=64)

def made(kind, config, **more):
    torch.manual_seed(0)
    for part in (config, getattr(config, "text_config", None), getattr(config, "decoder", None)):
        if part is not None:
            part.pad_token_id, part.eos_token_id, part.bos_token_id = 0, 3, 2
    return getattr(transformers, kind)._from_config(config, **more).eval()

bert = made("BertModel", transformers.BertConfig(**sizes))
masked = made("BertForMaskedLM", transformers.BertConfig(**sizes))
llama = made("LlamaForCausalLM", transformers.LlamaConfig(**sizes, num_key_value_heads=2))
draft = made("LlamaForCausalLM", transformers.LlamaConfig(**sizes | {"num_hidden_layers": 1}))
gpt = made("GPT2LMHeadModel", transformers.GPT2Config(
    vocab_size=60, n_embd=32, n_layer=2, n_head=4, n_positions=64))
t5 = made("T5ForConditionalGeneration", transformers.T5Config(
    vocab_size=60, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4,
    decoder_start_token_id=0))
vit = made("ViTModel", transformers.ViTConfig(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
    image_size=32, patch_size=8))
tower = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4)
clip = made("CLIPModel", transformers.CLIPConfig(
    text_config=dict(vocab_size=60, max_position_embeddings=16, bos_token_id=2, eos_token_id=3,
                     **tower),
    vision_config=dict(image_size=32, patch_size=8, **tower), projection_dim=16))

text = "the cat sat on the mat"
inputs = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
batch = tokenizer(["the cat sat on the mat", "a dog"], padding=True, return_tensors="pt",
                  return_token_type_ids=False)

def print_outputs(out):
    for name, own in out.items():
        print(name, type(own).__name__, getattr(own, "shape", ""))
    print(repr(out[0].flatten()[:6].tolist()))
"""

# What a second pass would say again, or would use up.
TALKING = """
class Talking(nn.Module):
    def __init__(self, inner, said):
        super().__init__()
        self.inner, self.said = inner, said
        self.config = inner.config
    def forward(self, **given):
        self.said()
        return self.inner(**given)
class Block(nn.Module):
    def __init__(self, said):
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
        self.stack = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.said = said
        self.eval()
    def forward(self, x):
        self.said()
        return self.stack(x)
states = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(1))
"""

CELLS = {
    "a plain call": """
out = bert(**inputs)
print_outputs(out)
""",
    "the value of a call as the cell's result": """
with torch.no_grad():
    out = bert(**inputs)
out
""",
    "a call with everything returned": """
with torch.no_grad():
    out = bert(**inputs, output_attentions=True, output_hidden_states=True)
print_outputs(out)
""",
    "a tuple returned": """
with torch.inference_mode():
    out = llama(**inputs, return_dict=False)
print([type(own).__name__ for own in out], out[0].sum().item())
""",
    "fields of an output, by their names": """
out = llama(**inputs, use_cache=True)
print(sorted(out.keys()), len(out))
print([name for name in dir(out) if not name.startswith("_")][:5])
""",
    "a training step": """
model = copy.deepcopy(llama).train()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(2):
    out = model(**inputs, labels=inputs["input_ids"])
    out.loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(step, out.loss.item())
print(torch.rand(2), np.random.rand(2), random.random())
""",
    "dropout, and draws after it": """
model = copy.deepcopy(bert).train()
print(model(**inputs).last_hidden_state.sum().item())
print(torch.rand(2), np.random.rand(2), random.random())
model.eval()
""",
    "checkpointed gradients with a cache asked for": """
model = copy.deepcopy(llama).train()
model.gradient_checkpointing_enable()
out = model(**inputs, labels=inputs["input_ids"], use_cache=True)
out.loss.backward()
print(out.loss.item())
""",
    "greedy generation": """
print(tokenizer.batch_decode(llama.generate(**inputs, max_new_tokens=6, do_sample=False)))
""",
    "sampled generation": """
print(llama.generate(**inputs, max_new_tokens=6, do_sample=True, top_k=20, temperature=0.7))
print(torch.rand(2), np.random.rand(2), random.random())
""",
    "beam search": """
out = llama.generate(**batch, max_new_tokens=5, num_beams=3, return_dict_in_generate=True,
                     output_scores=True)
print(out.sequences, out.sequences_scores, sorted(out.keys()))
""",
    "generation with arguments that warn": """
print(gpt.generate(inputs["input_ids"], max_new_tokens=3, do_sample=False, temperature=0.3))
print(gpt.generate(inputs["input_ids"], max_length=9))
""",
    "a streamer": """
from transformers import TextStreamer
llama.generate(**inputs, max_new_tokens=5, do_sample=False, streamer=TextStreamer(tokenizer))
""",
    "assisted decoding": """
print(llama.generate(**inputs, max_new_tokens=6, do_sample=False, assistant_model=draft))
""",
    "a static cache": """
print(llama.generate(**inputs, max_new_tokens=4, do_sample=False, cache_implementation="static",
                     disable_compile=True))
""",
    "a cache that is passed on": """
from transformers import DynamicCache
cache = DynamicCache(config=llama.config)
name = "cache" if "cache" in __import__("inspect").signature(llama.forward).parameters \
    else "past_key_values"
with torch.no_grad():
    first = llama(**inputs, use_cache=True, **{name: cache})
    next_ids = first.logits[:, -1:].argmax(-1)
    second = llama(input_ids=next_ids, **{name: cache})
print(cache.get_seq_length(), second.logits.sum().item())
""",
    "a renamed field that warns when it is read": """
out = llama(**inputs, use_cache=True)
print(type(out.past_key_values).__name__, out.past_key_values.get_seq_length())
""",
    "an encoder-decoder": """
out = t5(**inputs, labels=inputs["input_ids"])
print(out.loss.item(), sorted(out.keys()))
print(t5.generate(**inputs, max_new_tokens=4))
""",
    "a pipeline": """
from transformers import pipeline
pipe = pipeline("text-generation", model=llama, tokenizer=tokenizer, device="cpu")
print(pipe("the cat", max_new_tokens=4, do_sample=False))
""",
    "a pipeline over a list": """
from transformers import pipeline
pipe = pipeline("feature-extraction", model=bert, tokenizer=tokenizer, device="cpu")
print([len(own[0]) for own in pipe(["the cat", "a dog lay on the rug"])])
""",
    "a chat template": """
ids = tokenizer.apply_chat_template(
    [{"role": "the", "content": "cat sat"}], return_tensors="pt", return_dict=True)
print({name: own.tolist() for name, own in ids.items()})
print(llama(input_ids=ids["input_ids"]).logits.sum().item())
""",
    "a batch with padding": """
print(llama(**batch).logits.sum(-1))
""",
    "pictures": """
pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
print(vit(pixels).last_hidden_state.sum().item())
""",
    "pictures of a wrong size": """
vit(torch.zeros(1, 3, 24, 24))
""",
    "two towers": """
pixels = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
out = clip(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
           pixel_values=pixels)
print(out.logits_per_image)
""",
    "a compiled model": """
torch._dynamo.reset()
compiled = torch.compile(bert, backend="eager")
with torch.no_grad():
    print(compiled(**inputs).last_hidden_state.sum().item())
    print(compiled(**inputs).pooler_output.sum().item())
""",
    "a compiled module that prints": TALKING
    + """
torch._dynamo.reset()
@torch.compiler.disable
def said():
    print("one", flush=True)
    print("two", file=sys.stderr)
compiled = torch.compile(Talking(bert, said), backend="eager")
with torch.no_grad():
    print(compiled(**inputs).last_hidden_state.sum().item())
""",
    "a fused encoder": TALKING
    + """
with torch.no_grad():
    print(Block(lambda: None)(states).sum().item())
layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
encoder = nn.TransformerEncoder(layer, 2).eval()
with torch.no_grad():
    hidden = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    print(encoder(states, src_key_padding_mask=hidden).shape)
""",
    "a fused encoder that prints, logs and warns": TALKING
    + """
def said():
    print("seen")
    print("seen", file=sys.stderr)
    sys.stdout.writelines(["line\\n"])
    warnings.warn("of the model", UserWarning)
    warnings.warn("for the caller", FutureWarning, stacklevel=4)
    logging.getLogger("mine").warning("a record")
    logging.getLogger("mine").debug("a quiet record")
    logging.getLogger("transformers.mine").warning_once("a record, once")
    logging.getLogger("transformers.mine").info("information")
block = Block(said)
with torch.no_grad():
    print(block(states).sum().item())
    print(block(states[:1]).sum().item())
""",
    "a fused encoder that says something else the second time": TALKING
    + """
def said():
    modes = torch._C._len_torch_function_stack()
    warnings.warn(f"modes: {modes}")
    logging.getLogger("transformers").warning_once(f"modes: {modes}")
    print("modes", modes)
with torch.no_grad():
    print(Block(said)(states).sum().item())
""",
    "a fused encoder that displays, and warns by a name of its own": TALKING
    + """
from warnings import warn
def said():
    modes = torch._C._len_torch_function_stack()
    display(modes)
    warn(f"modes: {modes}")
with torch.no_grad():
    print(Block(said)(states).sum().item())
""",
    "output that is captured": """%%capture kept
print(bert(**inputs).last_hidden_state.shape)
""",
    "what was captured": """
kept.show()
""",
    "a cell that waits": """
import asyncio
async def later():
    await asyncio.sleep(0)
    return bert(**inputs).last_hidden_state.sum().item()
print(await later(), await later())
await asyncio.gather(later(), asyncio.to_thread(bert, color="red"))
""",
    "warnings of operations": TALKING
    + """
def said():
    print(torch.ones(1).var(), torch.ones(2, 3, 4).T.shape, torch.tensor(torch.ones(1)))
    nn.functional.softmax(torch.ones(2, 2))
with torch.no_grad():
    Talking(bert, said)(**inputs)
    Block(said)(states)
""",
    "a level of the stack that is searched for": TALKING
    + """
def said():
    logging.getLogger("mine").warning("for the caller", stacklevel=5)
    frame, names = sys._getframe(), []
    while frame.f_code.co_filename != sys._getframe().f_code.co_filename or not names:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    print(names)
Talking(bert, said)(**inputs)
""",
    "warnings as errors, none raised": TALKING
    + """
with warnings.catch_warnings():
    warnings.simplefilter("error")
    with torch.no_grad():
        print(bert(**inputs).last_hidden_state.sum().item())
        print(Block(lambda: None)(states).sum().item())
    print(llama.generate(**inputs, max_new_tokens=3, do_sample=False))
""",
    "warnings as errors, one raised": TALKING
    + """
with warnings.catch_warnings():
    warnings.simplefilter("error")
    Talking(bert, lambda: warnings.warn("raised")) (**inputs)
""",
    "warnings that are collected": TALKING
    + """
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = Talking(bert, lambda: warnings.warn("collected", stacklevel=2))
    model(**inputs)
    Block(lambda: warnings.warn("too", DeprecationWarning, stacklevel=4))(states)
    llama.generate(**inputs, max_new_tokens=3, do_sample=False, temperature=0.5)
for own in caught:
    print(own.category.__name__, own.message, own.filename.split("/")[-1], own.lineno)
""",
    "warnings of each level of the stack": TALKING
    + """
def said():
    for level in range(1, 8):
        warnings.warn(f"level {level}", stacklevel=level)
Talking(bert, said)(**inputs)
""",
    "a warning for the caller of a tokenizer": """
class Mine(PreTrainedTokenizerFast):
    def _encode_plus(self, *args, **kwargs):
        for level in range(1, 5):
            warnings.warn(f"level {level}", stacklevel=level)
            logging.getLogger("mine").warning("level %s", level, stacklevel=level)
        return super()._encode_plus(*args, **kwargs)
mine = Mine(tokenizer_object=backend, pad_token="[PAD]", model_max_length=8)
print(mine("the cat")["input_ids"])
""",
    "a root handler at the level of debugging": """
handler = logging.StreamHandler(sys.stdout)
handler.setLevel(logging.DEBUG)
logging.getLogger().addHandler(handler)
transformers.logging.enable_propagation()
try:
    bert(**inputs)
    llama.generate(**inputs, max_new_tokens=3, do_sample=False, temperature=0.5)
finally:
    logging.getLogger().removeHandler(handler)
    transformers.logging.disable_propagation()
""",
    "a text that is too long": """
long = tokenizer("the cat " * 40)
print(len(long["input_ids"]))
long = tokenizer("the cat " * 40, truncation=True, max_length=8, padding="max_length")
print(long["input_ids"])
""",
    "an index out of range": """
bert(input_ids=torch.tensor([[5, 999]]))
""",
    "an argument that is not known": """
llama(**inputs, color="red")
llama(5, color="red")
bert(color="red")
""",
    "a tokenizer's argument that is wrong": """
tokenizer(5)
""",
    "generation with an argument that is not known": """
llama.generate(**inputs, max_new_tokens=3, color="red")
""",
    "generation that fails in a processor": """
from transformers import LogitsProcessor, LogitsProcessorList
class Failing(LogitsProcessor):
    def __call__(self, input_ids, scores):
        if input_ids.shape[1] > 8:
            raise RuntimeError("in the processor")
        return scores
llama.generate(**inputs, max_new_tokens=6, logits_processor=LogitsProcessorList([Failing()]))
""",
    "an exception inside a forward pass": TALKING
    + """
def said():
    raise ValueError("inside")
Talking(bert, said)(**inputs)
""",
    "an exception inside an attention function": """
from transformers import AttentionInterface
def failing(module, query, key, value, mask, **kwargs):
    raise ValueError(f"of {module.layer_idx}")
AttentionInterface.register("failing", failing)
model = copy.deepcopy(llama)
model.set_attn_implementation("failing")
model(**inputs)
""",
    "an exception that is caught and printed": TALKING
    + """
def said():
    try:
        {}["missing"]
    except KeyError as error:
        raise ValueError("inside") from error
try:
    Talking(bert, said)(**inputs)
except ValueError:
    traceback.print_exc()
    print(len(traceback.extract_tb(sys.exc_info()[2])))
try:
    bert(**inputs, color="red")
except TypeError as error:
    print(error)
    traceback.print_exception(error)
""",
    "an exception in a fused layer": TALKING
    + """
with torch.no_grad():
    Block(lambda: None)(states[..., :5])
""",
    "an interrupt": TALKING
    + """
def said():
    raise KeyboardInterrupt
Talking(bert, said)(**inputs)
""",
    "an exit": TALKING
    + """
def said():
    raise SystemExit("enough")
try:
    Talking(bert, said)(**inputs)
except SystemExit:
    traceback.print_exc()
""",
    "a recursion without end": """
class Deep(nn.Module):
    def forward(self, x):
        return self(x)
try:
    Deep()(torch.zeros(1))
except RecursionError as error:
    print(str(error)[:20])
""",
    "hooks": """
seen = []
handles = [part.register_forward_hook(lambda part, given, out: seen.append(type(part).__name__))
           for part in bert.encoder.layer]
handles.append(bert.register_forward_pre_hook(lambda part, given: print("before", len(given))))
bert(**inputs)
[handle.remove() for handle in handles]
print(seen)
""",
    "progress bars on stderr": TALKING
    + """
from tqdm import tqdm
shape = dict(bar_format="{l_bar}{bar}|{n_fmt}", ncols=30, mininterval=0, miniters=1)
block = Block(lambda: [None for _ in tqdm(range(2), **shape)])
with torch.no_grad():
    for part in tqdm([states, states[:1]], **shape):
        print(block(part).shape)
""",
    "what functions say of themselves": """
import inspect
print(inspect.signature(llama.generate))
print(llama.generate.__doc__[:60], llama.generate.__name__, llama.generate.__qualname__)
print(tokenizer.__call__.__doc__[:60], tokenizer.encode.__qualname__, tokenizer.encode.__module__)
print(nn.Module.__call__.__name__, nn.Module.__call__.__qualname__, nn.Module.__call__.__module__)
print(inspect.signature(nn.Module.__call__), inspect.signature(bert.__call__))
print(transformers.AttentionInterface.get_interface.__qualname__)
print(inspect.getsource(nn.Module.__call__)[:60])
""",
    "an error in a second cell of the same name": """
exec(compile("bert(input_ids='text')", "<mine>", "exec"))
""",
    "output as it comes": """
from contextlib import redirect_stdout
import io
kept = io.StringIO()
with redirect_stdout(kept), torch.no_grad():
    print(bert(**inputs).last_hidden_state.shape)
    nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 48, batch_first=True), 1).eval()(
        torch.zeros(1, 3, 32))
print(repr(kept.getvalue()))
""",
}
