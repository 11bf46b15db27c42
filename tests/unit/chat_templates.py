"""Chat templates as models have them, and as they should not be."""

from __future__ import annotations

CHATML = """{%- for message in messages %}
    {%- if loop.first and messages[0]['role'] != 'system' %}
        {{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

LLAMA = """{{- bos_token }}
{%- if custom_tools is defined %}{% set tools = custom_tools %}{% endif %}
{%- if not tools is defined %}{% set tools = none %}{% endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" + system_message }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
    {%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {{- message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {%- for arg_name, arg_val in tool_call.arguments | items %}
            {{- arg_name + '="' ~ arg_val ~ '"' }}{%- if not loop.last %}{{- ", " }}{%- endif %}
        {%- endfor %}
    {%- endif %}
{%- endfor %}"""

QWEN = """{%- macro render(content) %}
    {%- if content is string %}{{- content }}
    {%- else %}{%- for item in content %}{{- item.text if 'text' in item else '' }}{% endfor %}
    {%- endif %}
{%- endmacro %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = render(message.content) %}
    {%- if message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n') %}
            {%- set reasoning = reasoning.split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {{- '<think>\\n' + reasoning.strip('\\n') + '</think>\\n' }}
        {%- endif %}
    {%- endif %}
    {%- generation %}{{- '<|' ~ message.role ~ '|>' ~ content }}{% endgeneration %}
    {%- if message.role not in ['user', 'assistant', 'system'] %}{%- continue %}{% endif %}
    {%- if loop.nextitem is defined and loop.nextitem.role == message.role %}{{ '+' }}{% endif %}
{%- endfor %}
{{- messages | map(attribute='role') | join(',') }}
{{- messages | selectattr('role', 'equalto', 'user') | list | length }}
{%- set text %}{{ messages[0].content|upper }}{{ 2 ** 5 // 3 % 7 }}{% endset %}
{{- text | indent(2) }}
{{- '{:>6}|{}'.format(1, 'b') + '%s-%03d' % ('x', 7) }}
{%- filter lower %}ABC{% endfilter %}
{%- for k, v in {'a': 1, 'b': [1, 2]}.items() %}{{ k }}{{ v }}{% endfor %}
{%- for a in range(3) if a != 1 %}
{{- a }}{{ loop.length }}{% if a == 2 %}{% break %}{% endif %}{% else %}-{% endfor %}
{%- macro wrap() %}<{{ caller(3) }}>{% endmacro %}{% call(x) wrap() %}{{ x }}!{% endcall %}"""

TEMPLATES = {"chatml": CHATML, "llama": LLAMA, "qwen": QWEN}

CONVERSATIONS = {
    "one": [{"role": "user", "content": "hi"}],
    "several": [
        {"role": "system", "content": " Be brief. "},
        {"role": "user", "content": "What is <b>2+2</b>?"},
        {"role": "assistant", "content": "<think>\n4\n</think>\n\nFour"},
        {"role": "user", "content": "é 🐈"},
        {"role": "user", "content": "and?"},
    ],
}

ENDLESS = {
    "loops": "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
    "repeated": '{{ "a" * 900000000 }}',
    "doubled": (
        "{% set ns = namespace(a='a') %}{% for i in range(99) %}{% set ns.a = ns.a + ns.a %}"
        "{% endfor %}{{ ns.a }}"
    ),
    "joined": (
        "{% set ns = namespace(a='a') %}{% for i in range(99) %}{% set ns.a = ns.a ~ ns.a %}"
        "{% endfor %}{{ ns.a }}"
    ),
    "blocks": (
        "{% set ns = namespace(a='a') %}{% for i in range(99) %}{% set b %}{{ ns.a }}{{ ns.a }}"
        "{% endset %}{% set ns.a = b %}{% endfor %}{{ ns.a }}"
    ),
    "lists": (
        "{% set ns = namespace(a=[1]) %}{% for i in range(99) %}{% set ns.a = [ns.a, ns.a] %}"
        "{% endfor %}{{ ns.a }}"
    ),
    "compared": (
        "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(99) %}"
        "{% set ns.a = (ns.a, ns.a) %}{% set ns.b = (ns.b, ns.b) %}{% endfor %}{{ ns.a == ns.b }}"
    ),
    "dictionaries": (
        "{% set ns = namespace(a={}) %}{% for i in range(99) %}"
        "{% set ns.a = dict(x=ns.a, y=ns.a) %}{% endfor %}{{ ns.a | tojson }}"
    ),
    "recursive": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "power": "{{ 10 ** 900000000 }}",
    "products": (
        "{% set ns = namespace(a=9) %}{% for i in range(99) %}{% set ns.a = ns.a * ns.a %}"
        "{% endfor %}{{ ns.a }}"
    ),
    "format": "{{ '{:>900000000}'.format(1) }}",
    "nested format": "{{ '{:{}}'.format(1, 900000000) }}",
    "percent": "{{ '%900000000d' % 1 }}",
    "starred": "{{ '%*d' % (900000000, 1) }}",
    "method": "{{ 'a'.ljust(900000000) }}",
    "replaced": "{% set a = 'a' * 9999 %}{{ a.replace('a', a) }}",
    "replacing filter": "{% set a = 'a' * 9999 %}{{ a | replace('a', a) }}",
    "indent": "{{ ('a\n' * 99999) | indent(99999) }}",
    "JSON": "{{ [[[1]]] | tojson(indent=900000000) }}",
    "join": "{{ range(99999) | join('a' * 99999) }}",
    "mapped": "{{ range(99999) | map('string') | map('replace', '', 'a' * 99999) | join }}",
    "round": "{{ 1 | round(-900000000) }}",
    "slices": (
        "{% set a = 'a' * 999999 %}{% for i in range(99999) %}{% set b = a[1:] %}{% endfor %}"
    ),
    "searched": (
        "{% set a = range(99999) | list %}{% for i in a %}{% if -1 in a %}{% endif %}{% endfor %}"
    ),
    "written": "{% set a = 'a' * 99999 %}{% for i in range(99999) %}{{ a }}{% endfor %}",
    "data": "{% for i in range(99999) %}" + "a" * 9999 + "{% endfor %}",
    "by content": "{% for i in range(messages[0].content | int) %}" + "a" * 9999 + "{% endfor %}",
    "center": "{{ 'a' | center(900000000) }}",
    "lipsum": "{{ lipsum(n=900000000) }}",
    "recursive loop": "{% for i in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "long": "{{ 1 }}" * 99999,
    "nested": "{{ " + "(" * 999 + "1" + ")" * 999 + " }}",
    "blocks in blocks": "{% if 1 %}" * 999 + "{% endif %}" * 999,
}
"""Templates that would take hours or gigabytes."""
