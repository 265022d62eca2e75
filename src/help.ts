// The settings, told to people: for `--help`, .env.example and docs/configuration.md.

import { settings } from './config.ts';

const rows = Object.values(settings);

export function helpText(): string {
  const entries = rows.map(
    ({ name, form, meaning, default: fallback }) =>
      `  ${name}${fallback === undefined ? '' : `=${fallback}`}\n      ${meaning}\n      (${form})\n`,
  );
  return `Footfall: page views in, seven days of behaviour out.

npm start, with these settings from the environment or from a file .env:

${entries.join('')}`;
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
`;
}
