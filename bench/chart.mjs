// The bar chart of the README: CPU of Node and Redis for one event and one profile, and how many there are a second.

const CONNECTIONS = 32;
const WIDTH = 760;
const NAMES = 118; // room for the servers' names
const LEFT = 290; // width of the bars of CPU
const RIGHT = 190; // of those of the rate
const GAP = 86; // for the figure beside a bar
const ROW = 26;
const BAR = 16;

const STYLE = `
    text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
    .title { font-weight: 600; }
    .quiet { fill: #59636e; }
    .node { fill: #2f7d4f; }
    .redis { fill: #c8472f; }
    .rate { fill: #4a6fa5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .quiet { fill: #9198a1; }
      .node { fill: #4fae76; }
      .redis { fill: #e5705a; }
      .rate { fill: #7da2d6; }
    }`;

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escaped = (value) => String(value).replace(/[&<>]/g, (c) => escapes[c]);
const text = (x, y, value, name = '') =>
  `<text x="${x}" y="${y}"${name && ` class="${name}"`}>${escaped(value)}</text>`;
const bar = (x, y, width, name) =>
  `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" class="${name}"/>`;

/** One kind of request: a row for each server, CPU on the left, rate on the right. */
function panel(top, title, rows) {
  const mostCpu = Math.max(...rows.map(({ node, redis }) => node + redis));
  const mostRate = Math.max(...rows.map(({ rate }) => rate));
  const rateAt = NAMES + LEFT + GAP;
  const lines = [
    text(0, top, `${title}: CPU, µs`, 'title'),
    text(rateAt, top, 'a second', 'title'),
    ...rows.map((row, i) => {
      const y = top + 12 + i * ROW;
      const base = y + BAR - 4;
      const node = (row.node / mostCpu) * LEFT;
      const redis = (row.redis / mostCpu) * LEFT;
      const rate = (row.rate / mostRate) * RIGHT;
      const stored = row.server === 'bare' ? '' : ` + ${row.redis.toFixed(0)}`;
      return [
        text(0, base, row.title),
        bar(NAMES, y, node, 'node'),
        stored && bar(NAMES + node, y, redis, 'redis'),
        text(Math.ceil(NAMES + node + redis + 6), base, `${row.node.toFixed(0)}${stored}`),
        bar(rateAt, y, rate, 'rate'),
        text(Math.ceil(rateAt + rate + 6), base, Math.round(row.rate).toLocaleString('en')),
      ].join('');
    }),
  ];
  return { lines, bottom: top + 12 + rows.length * ROW };
}

export function chartOf({ machine, events, reads }) {
  const shown = reads.map(({ server }) => server);
  const at = (rows) => rows.filter((row) => row.connections === CONNECTIONS && shown.includes(row.server));
  const first = panel(16, 'One page view', at(events));
  const second = panel(first.bottom + 30, 'One profile', at(reads));
  const legend = second.bottom + 20;
  const where = `${machine.cores} × ${machine.cpu}, Node ${machine.node}, Redis ${machine.redis}, ${CONNECTIONS} connections, ${machine.date.slice(0, 10)}`;
  const lines = [
    ...first.lines,
    ...second.lines,
    bar(NAMES, legend - 12, BAR, 'node') + text(NAMES + 22, legend, 'Node'),
    bar(NAMES + 80, legend - 12, BAR, 'redis') + text(NAMES + 102, legend, 'Redis'),
    text(0, legend + 24, where, 'quiet'),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${legend + 34}" role="img" aria-label="CPU per page view and per profile, and requests a second, of the servers">
  <style>${STYLE}
  </style>
  ${lines.join('\n  ')}
</svg>
`;
}
