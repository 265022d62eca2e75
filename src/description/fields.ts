// Schemas as a person reads them.

import { type Html, html, paragraphs, prose, word } from './html.ts';
import { type JsonSchema, lastOf } from './reading.ts';

export function schemaTable(schema: JsonSchema): Html {
  const { properties, required = [], anyOf } = schema;
  if (anyOf) return html`<p>One of these:</p><ul>${anyOf.map((one) => html`<li>${typeOf(one)}</li>`)}</ul>`;
  if (!properties) return html`<p>${typeOf(schema)}</p>`;
  const isMixed = required.length < Object.keys(properties).length; // else the word tells nothing
  return html`<table>
<thead><tr><th scope="col">field</th><th scope="col">what it is</th></tr></thead>
<tbody>${Object.entries(properties).map(([name, field]) => row(name, field, isMixed && required.includes(name)))}</tbody>
</table>
`;
}

export function row(name: string, schema: JsonSchema, isRequired: boolean, said = schema.description): Html {
  return html`<tr><th scope="row">${word(name)}${isRequired ? html` <span class="must">required</span>` : ''}<span class="type">${typeOf(schema)}</span></th><td>${said ? paragraphs(said) : ''}${innerOf(schema)}</td></tr>
`;
}

/** Of a list of objects, their fields. */
function innerOf({ items }: JsonSchema): Html | undefined {
  if (!items?.properties) return undefined;
  const fields = Object.entries(items.properties).map(
    ([name, { description = '' }]) => html`<li><code>${name}</code>: ${prose(description)}</li>`,
  );
  return html`<p>Each has</p><ul>${fields}</ul>`;
}

export function typeOf(schema: JsonSchema): Html {
  const { $ref, allOf, items, contentSchema, additionalProperties } = schema;
  if ($ref) return html`<a href="#schema-${lastOf($ref)}">${lastOf($ref)}</a>`;
  if (allOf) {
    const { properties = {}, required = [] } = allOf[1] ?? {};
    const more = Object.entries(properties).map(
      ([name, { const: value }]) =>
        html` with <code>${name}</code> <code>${JSON.stringify(value)}</code>${required.includes(name) ? '' : ', or without'}`,
    );
    return html`${typeOf(allOf[0]!)}${more}`;
  }
  if (contentSchema) return html`${typeOf(contentSchema)} as text`;
  if (items) {
    const most = schema.maxItems ? ` of up to ${schema.maxItems}` : '';
    return html`list${most}: ${items.properties ? html`objects` : typeOf(items)}`;
  }
  if (typeof additionalProperties === 'object') return html`object of ${typeOf(additionalProperties)}s`;
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum) return html`${joined(schema.enum.map((value) => html`<code>${String(value)}</code>`))}`;
  return html`${[schema.type].flat().join(' or ')}${bounds(schema)}`;
}

function bounds({ format, maxLength, minimum, maximum }: JsonSchema): string {
  const said = [
    format,
    maxLength && `up to ${maxLength} characters`,
    maximum && `${minimum ?? 0} to ${maximum}`,
  ].filter(Boolean);
  return said.map((one) => `, ${one}`).join('');
}

const joined = (parts: Html[]): Html[] => parts.map((part, i) => html`${i > 0 ? ', ' : ''}${part}`);
