// The description for people: one page, without a script.

import { curlOf } from './curl.ts';
import { row, schemaTable, typeOf } from './fields.ts';
import { Html, html, paragraphs, prose, word } from './html.ts';
import {
  callsIn,
  type Described,
  type Document,
  examplesIn,
  lastOf,
  type Parameter,
  type Response,
  responseOf,
  type Sendable,
} from './reading.ts';

export function page(document: Document): string {
  const { info, tags } = document;
  const calls = callsIn(document);
  const sections = tags.map((tag) => ({
    ...tag,
    id: `about-${tag.name.replace(/\W+/g, '-').toLowerCase()}`,
    calls: calls.filter(({ operation }) => operation.tags[0] === tag.name),
  }));
  return html`${new Html('<!doctype html>')}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${info.title}: every call</title>
<link rel="stylesheet" href="docs.css">
<link rel="icon" href="data:,">
<link rel="alternate" type="application/json" href="openapi.json">
</head>
<body>
<a class="skip" href="#calls">To the calls</a>
<div class="page">
<header>
<h1>${info.title}</h1>
<p class="quiet">Every call of version ${info.version}. The same for tools: <a href="openapi.json">openapi.json</a></p>
</header>
<nav aria-label="Contents">
<h2>Contents</h2>
${sections.map(
  ({ name, id, calls }) => html`<h3><a href="#${id}">${name}</a></h3>
<ul>${calls.map(
    ({ operation }) => html`<li><a href="#${operation.operationId}">${prose(operation.summary)}</a></li>`,
  )}</ul>
`,
)}
<h3>For all</h3>
<ul><li><a href="#problems">Problems</a></li><li><a href="#headers">Headers of answers</a></li><li><a href="#schemas">Schemas</a></li></ul>
</nav>
<main id="calls" tabindex="-1">
${paragraphs(info.description)}
${sections.map(
  ({ name, id, description, calls }) => html`<section aria-labelledby="${id}">
<h2 id="${id}">${name}</h2>
<p>${prose(description)}</p>
${calls.map((call) => article(document, call))}
</section>
`,
)}
${problems(document)}
${headers(document)}
${schemas(document)}
</main>
</div>
</body>
</html>
`.text;
}

function article(document: Document, call: Described): Html {
  const { method, path, operation } = call;
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const examples = examplesIn(document, call);
  return html`<article aria-labelledby="${operationId}">
<h3 id="${operationId}"><a href="#${operationId}">${prose(summary)}</a></h3>
<p class="call"><b class="${method}">${method.toUpperCase()}</b> ${path}</p>
${paragraphs(description)}
${parameters.length > 0 ? parameterTable(parameters) : ''}
${
  requestBody
    ? html`<h4>Body</h4>
<ul>${Object.entries(requestBody.content).map(
        ([type, media]) =>
          html`<li><code>${type}</code>: ${media['x-each'] ? html`${typeOf(media['x-each'])}, one a line` : typeOf(media.schema)}</li>`,
      )}</ul>`
    : ''
}
<h4>Answers</h4>
<table class="status">
<thead><tr><th scope="col">status</th><th scope="col">what it says</th></tr></thead>
<tbody>${Object.entries(responses).map(([status, response]) => answerRow(status, response, document))}</tbody>
</table>
${examples.length > 0 ? html`<h4>Examples</h4>` : ''}
${examples.map((example, i) => exampleOf(example, curlOf(example, operation), i === 0))}
</article>
`;
}

function parameterTable(parameters: Parameter[]): Html {
  const places = { path: 'in the path', query: 'in the query', header: 'a header' };
  return html`<h4>Parameters</h4>
<table>
<thead><tr><th scope="col">name</th><th scope="col">what it is</th></tr></thead>
<tbody>${parameters.map(({ name, in: place, description, required, schema }) =>
    row(name, schema, required, `${description.replace(/\.?$/, '')} (${places[place]}).`),
  )}</tbody>
</table>
`;
}

function answerRow(status: string, response: Response, document: Document): Html {
  const { description, content = {}, headers = {} } = responseOf(document, response);
  const names = Object.keys(headers).filter((name) => name !== 'X-Request-Id');
  const withHeaders =
    names.length > 0
      ? html`<p class="quiet">With ${names.map((name, i) => html`${i > 0 ? ', ' : ''}<a href="#header-${name}">${name}</a>`)}</p>`
      : '';
  if (response.$ref) {
    const codes = lastOf(response.$ref).split('.');
    const links = codes.map(
      (code, i) => html`${i > 0 ? ', ' : ''}<a href="#problem-${code}"><code>${code}</code></a>`,
    );
    return html`<tr><th scope="row"><code>${status}</code></th><td><p>${links}</p>${withHeaders}</td></tr>
`;
  }
  const bodies = Object.entries(content).map(
    ([type, media]) =>
      html`<p class="quiet"><code>${type}</code>: ${media['x-each'] ? html`${typeOf(media['x-each'])}, one a line` : typeOf(media.schema)}</p>`,
  );
  return html`<tr><th scope="row"><code>${status}</code></th><td><p>${prose(description)}</p>${bodies}${withHeaders}</td></tr>
`;
}

function exampleOf({ summary, status, answer, needs }: Sendable, curl: string, isOpen: boolean): Html {
  const text = typeof answer === 'string' ? answer : legible(answer);
  const condition = needs ? ` (with an ${needs})` : '';
  return html`<details${isOpen ? new Html(' open') : ''}>
<summary>${summary}${condition}: <code>${status}</code></summary>
<pre><code>${curl}</code></pre>
<pre><code>${text}</code></pre>
</details>
`;
}

/** On one line where it fits. */
function legible(answer: unknown): string {
  const line = JSON.stringify(answer);
  return line.length <= 80 ? line : JSON.stringify(answer, null, 2);
}

function problems({ 'x-problems': all }: Document): Html {
  return html`<section aria-labelledby="problems">
<h2 id="problems">Problems</h2>
<p>What goes wrong is answered as <code>application/problem+json</code> (<a href="#schema-Problem">Problem</a>). Its <code>code</code> is one of these:</p>
<table>
<thead><tr><th scope="col">code</th><th scope="col">when it comes, and what to do</th></tr></thead>
<tbody>${Object.entries(all).map(
    ([
      code,
      { status, when, remedy },
    ]) => html`<tr id="problem-${code}"><th scope="row">${word(code)}<span class="type">${status}</span></th><td><p>${prose(when)}</p><p class="quiet">${prose(remedy)}</p></td></tr>
`,
  )}</tbody>
</table>
</section>
`;
}

function headers({ components }: Document): Html {
  return html`<section aria-labelledby="headers">
<h2 id="headers">Headers of answers</h2>
<table>
<thead><tr><th scope="col">header</th><th scope="col">what it says</th></tr></thead>
<tbody>${Object.entries(components.headers).map(
    ([name, { description }]) =>
      html`<tr id="header-${name}"><th scope="row">${word(name)}</th><td><p>${prose(description)}</p></td></tr>
`,
  )}</tbody>
</table>
</section>
`;
}

function schemas({ components }: Document): Html {
  return html`<section aria-labelledby="schemas">
<h2 id="schemas">Schemas</h2>
${Object.entries(components.schemas).map(
  ([name, schema]) => html`<article aria-labelledby="schema-${name}">
<h3 id="schema-${name}">${name}</h3>
${schema.description ? paragraphs(schema.description) : ''}
${schemaTable(schema)}
</article>
`,
)}
</section>
`;
}
