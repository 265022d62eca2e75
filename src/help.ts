// The settings, told to people: for `--help`, .env.example and docs/configuration.md.

import { settings } from './config.ts';

const rows = Object.values(settings);

/** Told where a start is told of; `src/server.ts` has the same. */
const exitCodes = [
  '0 stopped',
  '1 a fault of its own',
  "2 it can't start as it is set up: the last line says what is wrong",
  '3 stopping was cut off, by SHUTDOWN_MS or by a second signal',
];

export function helpText(): string {
  const entries = rows.map(
    ({ name, form, meaning, default: fallback }) =>
      `  ${name}${fallback === undefined ? '' : `=${fallback}`}\n      ${meaning}\n      (${form})\n`,
  );
  return `Footfall: page views in, seven days of behaviour out.

npm start, with these settings from the environment or from a file .env:

${entries.join('')}
It ends with
${exitCodes.map((line) => `  ${line}\n`).join('')}`;
}

export function envExample(): string {
  const entries = rows.map(
    ({ name, form, meaning, default: fallback }) => `# ${meaning}\n# ${form}\n#${name}=${fallback ?? ''}\n`,
  );
  return `# Copy to .env and take the # from what you set.\n\n${entries.join('\n')}`;
}

export function configurationPage(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const lines = rows.map(
    ({ name, form, meaning, default: fallback }) =>
      `| \`${name}\` | ${fallback === undefined ? '' : `\`${fallback}\``} | ${cell(form)} | ${cell(meaning)} |`,
  );
  return `# Configuration

Settings come from the environment, or from a file \`.env\` in the folder of the start; the environment wins. A setting
that is set to nothing counts as left out. Any fault stops the start, and all faults are named at once.

This page is made from the table in \`src/config.ts\` by \`npm run docs\`.

| setting | default | form | meaning |
| --- | --- | --- | --- |
${lines.join('\n')}

A name that is one letter away from a setting's, or a setting's with \`FOOTFALL_\` before it, is a fault too.

The process ends with

${exitCodes.map((line) => `- ${line.replace(/^\d/, '`$&`')}\n`).join('')}`;
}
