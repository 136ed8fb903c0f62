// Writes docs/pods.md from the table of supported fields: `npm run docs`, after a build.
import { writeFileSync } from 'node:fs';
import { POD_SUPPORT } from '../../dist/protocol/pod-support-table.js';

const WORDS = {
  supported: 'runs as Kubernetes documents it',
  default: 'only at values that mean nothing special',
  ignored: 'accepted; means nothing on a node of its own',
  refused: 'refused: not supported yet',
  forbidden: 'refused: cannot be in a static pod',
};

const cell = text => text.replaceAll('|', '\\|');
const rows = POD_SUPPORT.map(
  ({ path, verdict, reason, values }) =>
    `| \`${path}\` | ${verdict} | ${cell(reason)}${values ? ` (${values.map(v => `\`${JSON.stringify(v)}\``).join(', ')})` : ''} |`,
);

export const text = `# Pod fields

Every field of a v1 Pod and what this version makes of it. A row speaks for all below it unless rows below it exist. Made from
\`protocol/pod-support-table.ts\` by \`npm run docs\`.

${Object.entries(WORDS)
  .map(([verdict, meaning]) => `- **${verdict}**: ${meaning}`)
  .join('\n')}

| field | | |
| --- | --- | --- |
${rows.join('\n')}
`;

if (process.argv[2] !== '--print')
  writeFileSync(new URL('../../docs/pods.md', import.meta.url), text);
else process.stdout.write(text);
