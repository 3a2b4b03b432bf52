"""The report's page, a Jinja template: no address in it leads outside."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Benchmark: {{ title }}</title>
<link rel="icon" href="data:,">
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #16222e; margin: 0 auto;
  max-width: 1480px; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .3rem; border-bottom: 1px solid #cfd8e1; padding-bottom: .2rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { margin: .2rem 0; max-width: 60rem; }
p.note { color: #4a5b6b; font-size: .9rem; }
.wide { overflow-x: auto; margin-top: .5rem; }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid #dfe6ec; text-align: left; white-space: nowrap; }
th { background: #f2f5f8; position: sticky; top: 0; }
td.number { text-align: right; }
td.best { font-weight: 650; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(520px, 1fr)); gap: .5rem; }
.plots > div { min-width: 0; }
.row { display: flex; flex-wrap: wrap; gap: .6rem; }
figure { margin: 0; width: 190px; }
figure img { width: 100%; display: block; border: 1px solid #cfd8e1; }
figcaption { font-size: .78rem; color: #4a5b6b; overflow-wrap: anywhere; }
</style>
{% if plotly %}<script>{{ plotly | safe }}</script>{% endif %}
</head>
<body>
{% macro table(found) %}
<h2>{{ found.title }}</h2>
<p class="note">{{ found.note }}</p>
<div class="wide"><table>
<thead><tr>{% for column in found.columns %}<th>{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for line in found.lines %}<tr>
{%- for cell in line -%}
<td class="{{ 'number' if cell.text[:1] in '0123456789-<–' }}{{ ' best' if cell.best }}">{{ cell.text }}</td>
{%- endfor -%}
</tr>
{% endfor %}</tbody>
</table></div>
{% endmacro %}
{% macro pictures(rows) %}
{% for row in rows %}
<h3>{{ row.title }}</h3>
<div class="row">
{% for picture in row.pictures %}<figure><a href="{{ picture.file }}"><img src="{{ picture.source }}"
 alt="{{ picture.caption }}"></a><figcaption>{{ picture.caption }}</figcaption></figure>
{% endfor %}</div>
{% endfor %}
{% endmacro %}
<h1>Benchmark: {{ title }}</h1>
{% for fact in facts %}<p>{{ fact }}</p>
{% endfor %}
{% for found in scores %}{{ table(found) }}{% endfor %}
{% if plots %}<h2>Plots</h2>
<div class="plots">{% for plot in plots %}<div>{{ plot | safe }}</div>{% endfor %}</div>{% endif %}
{% for found in tables %}{{ table(found) }}{% endfor %}
{% if examples %}<h2>Predictions</h2>
<p class="note">The same images for every method. In predictions, {{ legend }}.</p>
{{ pictures(examples) }}{% endif %}
{% if failures %}<h2>Worst failures</h2>
<p class="note">Lowest F1 of each method, with what it attends to where it has attention (yellow: most).</p>
{{ pictures(failures) }}{% endif %}
</body>
</html>
"""
