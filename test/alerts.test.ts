import { metricsOfArchive } from './support/archive.ts';
import { outputsOf, readPage } from './support/console.ts';

/** What Prometheus itself knows of a target. */
const OF_PROMETHEUS = { metrics: ['up'], labels: ['instance', 'job'] };
const METRIC = /\b(?:(?:footfall|process|nodejs)_\w+|up\b)/g;
const ANCHORS = /^#{2,3} (.+)$/gm;

interface Rule {
  /** Its name, and whether it is an alert or a figure. */
  alert?: string;
  record?: string;
  fields: Record<string, string>;
}

/** The rules of the file, as it is written: two spaces a level, a field a line, `>-` for more. */
function rulesOf(text: string): Rule[] {
  return text.split(/^ {6}- (?=alert|record)/m).map((part) => {
    const fields = [...part.matchAll(/^ *(\w+): (?:>-((?:\n {12}.+)+)|(.+))$/gm)].map(
      ([, name, folded, line]) => [name!, folded?.replace(/\s+/g, ' ').trim() ?? line!] as const,
    );
    return { ...Object.fromEntries(fields.slice(0, 1)), fields: Object.fromEntries(fields) };
  });
}

const text = readPage('docs/alerts.yml');
const rules = rulesOf(text).filter(({ alert, record }) => alert !== undefined || record !== undefined);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const exprs = rules.map(({ fields }) => fields.expr ?? '');
const page = readPage('docs/operating.md');

/** Each metric that the service tells, with its labels. */
let told: Map<string, Set<string>>;

beforeAll(async () => {
  const post = `curl -s localhost:3000/v1/page -H 'Content-Type: application/json' -d '{"user_id":"ann","name":"Home"}'`;
  const commands = [post, 'curl -s localhost:3000/v1/user/ann', 'curl -s localhost:3000/metrics'];
  const outputs = await outputsOf(commands.map((command) => ({ command, output: '' })));
  const all = `${outputs.at(-1)}\n${await metricsOfArchive()}`;
  told = new Map(OF_PROMETHEUS.metrics.map((name) => [name, new Set<string>()]));
  for (const [, name, labels = ''] of all.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const known = told.get(name!) ?? new Set();
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!);
    told.set(name!, known);
  }
});

test('every rule is read', () => {
  expect(rules.length).toBe(text.match(/\b(alert|record): /g)!.length);
  expect(alerts.length).toBeGreaterThan(15);
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
});

test('every metric in the file is one that the service tells', () => {
  const named = text.match(METRIC)!;
  expect(named.filter((name) => !told.has(name))).toEqual([]);
  for (const expr of exprs.filter((one) => !one.startsWith('vector('))) {
    expect(expr).toMatch(/footfall[_:]|nodejs_|\bup\b/);
  }
});

test('every figure that is asked for is recorded before', () => {
  const recorded = rules.flatMap(({ record }) => record ?? []);
  for (const name of text.match(/\bfootfall(:\w+)+/g)!) expect(recorded).toContain(name);
});

test('every label of a selector is one of its metric', () => {
  const selectors = exprs.flatMap((expr) => [...expr.matchAll(/\b([\w:]+)\{([^}]*)\}/g)]);
  expect(selectors.length).toBeGreaterThan(8);
  for (const [, name, labels] of selectors) {
    const known = [...(told.get(name!) ?? groupsOf(name!)), ...OF_PROMETHEUS.labels];
    for (const [, label] of labels!.matchAll(/(\w+)[=!]~?"/g)) expect(known).toContain(label);
  }
});

test('every label that is grouped by, or written into a text, is one that the alert has', () => {
  for (const { fields } of rules) {
    const names = fields.expr!.match(/\b(?:footfall[\w:]+|nodejs_\w+|up\b)/g) ?? [];
    const known = [
      ...names.flatMap((name) => [...(told.get(name) ?? groupsOf(name))]),
      ...OF_PROMETHEUS.labels,
    ];
    const grouped = [...fields.expr!.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels]) =>
      labels!.split(', '),
    );
    const written = [
      ...Object.values(fields)
        .join()
        .matchAll(/\$labels\.(\w+)/g),
    ].map(([, label]) => label!);
    expect([...grouped, ...written].filter((label) => !known.includes(label))).toEqual([]);
    if (grouped.length > 0) expect(written.filter((label) => !grouped.includes(label))).toEqual([]);
  }
});

/** The labels that a recorded figure is grouped by. */
function groupsOf(record: string): string[] {
  const rule = rules.find((one) => one.record === record);
  return /\bby \(([^)]*)\)/.exec(rule?.fields.expr ?? '')?.[1]?.split(', ') ?? [];
}

test.each(alerts)('$alert says since when, how bad, what is amiss and what to do', ({ alert, fields }) => {
  expect(alert).toMatch(/^Footfall[A-Z]\w+$/);
  expect(fields).toMatchObject({
    expr: expect.stringMatching(/ (>|<|==) [\d.]+/),
    for: expect.stringMatching(/^\d+[smh]$/),
    severity: expect.stringMatching(/^(page|ticket)$/),
    summary: expect.stringMatching(/\.("|$)/),
    description: expect.stringMatching(/\.$/),
    runbook: expect.stringMatching(/^docs\/operating\.md#[a-z-]+$/),
  });
  for (const bracket of ['()', '[]', '{}']) {
    const [open, close] = [...bracket].map((one) => fields.expr!.split(one).length);
    expect(open).toBe(close);
  }
});

test('every section that an alert leads to is there, and the page names every alert', () => {
  const anchors = [...page.matchAll(ANCHORS)].map(([, title]) => anchorOf(title!));
  for (const { fields } of alerts) expect(anchors).toContain(fields.runbook!.split('#')[1]);
  const [, section] = /^## Alerts\n([\s\S]*?)^## /m.exec(page)!;
  const named = section!.match(/^\| Footfall.+?\|/gm)!.flatMap((cell) => cell.match(/Footfall\w+/g)!);
  expect(named.sort()).toEqual(alerts.map(({ alert }) => alert!).sort());
});

const anchorOf = (title: string) =>
  title
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-');

test('the reader of the file takes what is there', () => {
  const lines = [
    'groups:',
    '  - name: a',
    '    rules:',
    '      - alert: B',
    '        expr: c > 1',
    '        for: 1m',
  ];
  const folded = [
    '        annotations:',
    '          summary: d.',
    '          description: >-',
    '            e',
    '            f.',
  ];
  const [, rule] = rulesOf(`${[...lines, ...folded].join('\n')}\n`);
  expect(rule).toEqual({
    alert: 'B',
    fields: { alert: 'B', expr: 'c > 1', for: '1m', summary: 'd.', description: 'e f.' },
  });
});
