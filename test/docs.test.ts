import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { blocksOf, outputsOf, ROOT, readPage, stepsOf, timeless } from './support/console.ts';

const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => `docs/${path}`),
];

describe('what a page shows is what a terminal shows', () => {
  test.each(['README.md', 'docs/keys.md'])('%s', async (path) => {
    const steps = stepsOf(readPage(path));
    const outputs = await outputsOf(steps);
    const shown = steps.map((step) => `$ ${step.command}\n${timeless(step)}`);
    const said = steps.map(
      (step, i) => `$ ${step.command}\n${timeless({ ...step, output: outputs[i] ?? '' })}`,
    );
    expect(said).toEqual(shown);
    expect(steps.length).toBeGreaterThan(10);
  });
});

describe('every page', () => {
  const { scripts } = JSON.parse(readPage('package.json')) as { scripts: Record<string, string> };
  const ofNpm = ['ci', 'install'];

  test.each(pages)('%s: its npm commands exist', (path) => {
    const page = readPage(path);
    const typed = [...blocksOf(page, 'sh'), ...[...page.matchAll(/`(npm [^`]+)`/g)].map(([, text]) => text!)];
    const names = typed
      .flatMap((text) => [...text.matchAll(/\bnpm (?:run )?(?:-\S+ )*([\w:-]+)/g)])
      .map(([, name]) => name!);
    expect(names.filter((name) => !(name in scripts) && !ofNpm.includes(name))).toEqual([]);
    if (path === 'README.md') expect(names).toEqual(expect.arrayContaining(['ci', 'start', 'test']));
  });

  test.each(pages)('%s: its links lead to files', (path) => {
    const links = [...readPage(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
    const files = links
      .filter((link) => !/^(https?:|mailto:|#)/.test(link))
      .map((link) => link.split('#')[0]!);
    expect(files.filter((file) => !existsSync(join(ROOT, dirname(path), file)))).toEqual([]);
  });
});

describe('a page is read as it is meant', () => {
  const page =
    '```console\n$ one\n  a\n\nb\n$ two\n```\ntext\n```sh\nnpm test\n```\n```console\n$ three | sort\nx\n```\n';

  test('commands and what they say', () => {
    expect(stepsOf(page)).toEqual([
      { command: 'one', output: '  a\n\nb' },
      { command: 'two', output: '' },
      { command: 'three | sort', output: 'x' },
    ]);
    expect(blocksOf(page, 'sh')).toEqual(['npm test\n']);
  });

  test.each([
    ['a day', 'curl', '"date":"2026-11-21"', '"date":"2025-01-01"'],
    ['a time', 'curl', '2026-11-21T10:00:00.000Z', '2025-01-01T00:00:00.123Z'],
    ['ms since 1970', 'GET x', '"1795228582575"', '"1700000000000"'],
    ['s since 1970', 'EXPIRETIME x', '(integer) 1795811716', '(integer) 1700000000'],
    ['the life of a key', 'inspect', '  goes    in 6 days 17 h', '  goes    in 7 days 2 h'],
    ['seconds that are left', 'TTL x', '(integer) 583133', '(integer) 1'],
    ['an order', 'ls | sort', 'b\na', 'a\nb'],
  ])('%s may differ', (_what, command, a, b) => {
    expect(timeless({ command, output: a })).toBe(timeless({ command, output: b }));
  });

  test.each([
    ['another number', 'curl', '"views":2', '"views":3'],
    ['another status', 'curl', '{"status":"recorded"}', '{"status":"duplicate"}'],
    ['another order', 'ls', 'b\na', 'a\nb'],
    ['no time at all', 'curl', '"at":"2026-11-21T10:00:00.000Z"', '"at":null'],
    ['a key that is not there', 'TTL x', '(integer) 583133', '(nil)'],
  ])('%s may not', (_what, command, a, b) => {
    expect(timeless({ command, output: a })).not.toBe(timeless({ command, output: b }));
  });
});
