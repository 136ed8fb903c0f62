/**
 * The house rules as a test: who may import whom, what a layer may touch, how large a room may get, and that the documents
 * say what the code says. Each failure says what to use instead.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, test } from 'node:test';
import { EXIT } from '../../protocol/cli-error.js';
import { FIELD_ERROR_CODES } from '../../protocol/field-error.js';
import { MANIFEST_ERROR_CODES } from '../../protocol/manifest-error.js';
import { REFUSAL_CODES } from '../../protocol/refusal.js';
import { REQUEST_REASONS } from '../../hub/ports.js';

const ROOT = join(import.meta.dirname, '../../..');

function sources(folder: string): string[] {
  const entries = readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true });
  return entries
    .filter(e => e.isFile() && e.name.endsWith('.ts') && !e.name.endsWith('.d.ts'))
    .map(e => join(e.parentPath, e.name).slice(ROOT.length + 1))
    .filter(path => !path.includes('node_modules'))
    .sort();
}

const FILES = ['protocol', 'agent', 'hub'].flatMap(sources);
const TEXT = new Map(FILES.map(file => [file, readFileSync(join(ROOT, file), 'utf8')]));

/** Code without comments and strings, so that a rule cannot be broken by a sentence about it. */
function codeOf(file: string): string {
  return (TEXT.get(file) ?? '')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
}

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const text = TEXT.get(file) ?? '';
  const found: Import[] = [];
  const pattern =
    /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|import\(\s*'([^']+)'/gm;
  for (const match of text.matchAll(pattern)) {
    const from = match[2] ?? match[3] ?? '';
    const target = from.startsWith('.') ? normalize(join(dirname(file), from)) : from;
    found.push({ from: target, typeOnly: match[1] !== undefined });
  }
  return found;
}

function offenders(files: readonly string[], isBad: (file: string) => string | null): string[] {
  return files.flatMap(file => {
    const why = isBad(file);
    return why === null ? [] : [`${file}: ${why}`];
  });
}

const matching = (patterns: readonly RegExp[]) => (file: string) =>
  patterns.some(p => p.test(file));

describe('imports point down', () => {
  test('protocol imports nothing of agent or hub, and of node only what computes: crypto and zlib', () => {
    const bad = offenders(sources('protocol'), file => {
      const wrong = importsOf(file).find(
        i =>
          /^(agent|hub|test)\//.test(i.from) ||
          (i.from.startsWith('node:') && !['node:crypto', 'node:zlib'].includes(i.from)),
      );
      return wrong ? `imports ${wrong.from}` : null;
    });
    assert.deepEqual(bad, []);
  });

  test('agent and hub never import each other, and nothing imports the tests', () => {
    const bad = offenders(FILES, file => {
      const side = file.split('/')[0];
      const other = { agent: 'hub/', hub: 'agent/', protocol: 'hub/' }[side ?? ''] ?? '';
      const wrong = importsOf(file).find(
        i => i.from.startsWith(other) || i.from.startsWith('test/'),
      );
      return wrong ? `imports ${wrong.from}` : null;
    });
    assert.deepEqual(bad, []);
  });

  const HOMES: readonly [string, readonly RegExp[]][] = [
    ['dockerode', [/^agent\/runtime\//]],
    [
      'tar-stream',
      [
        /^protocol\/(carried|tar-entries)\.ts$/,
        /^agent\/runtime\//,
        /^hub\/signing\//,
        /^hub\/backup\//,
        /^hub\/cli\/tar-copy\.ts$/,
      ],
    ],
    ['node-cron', [/^protocol\/cron\.ts$/, /^hub\/(backup|setup)\//]],
    ['ssh2', [/^hub\/signing\//]],
    ['mqtt', [/^agent\/link\//, /^hub\/link\//]],
    ['aedes', [/^hub\/broker\//]],
    ['prom-client', [/^agent\/api\//, /^hub\/metrics\//]],
    ['ws', [/^agent\/link\//, /^hub\/api\//, /^hub\/cli\//]],
    [
      'better-sqlite3',
      [/^agent\/journal\//, /^agent\/sources\/directory-lock\.ts$/, /^hub\/store\//],
    ],
    ['@peculiar/x509', [/^hub\/setup\//, /^hub\/enrolment\//]],
    ['commander', [/^agent\/cli\//, /^hub\/cli\//, /^agent\/main\.ts$/]],
    [
      'node:https',
      [
        /^hub\/api\//,
        /^hub\/cli\/client\.ts$/,
        /^agent\/(membership|probes)\//,
        /^agent\/sources\/http-open\.ts$/,
      ],
    ],
  ];
  for (const [name, homes] of HOMES) {
    test(`${name} is imported only where it is adapted`, () => {
      const isHome = matching(homes);
      const users = FILES.filter(file => importsOf(file).some(i => i.from === name && !i.typeOnly));
      assert.ok(users.some(isHome), `nobody imports ${name} any more: take the row out`);
      assert.deepEqual(
        users.filter(file => !isHome(file)),
        [],
      );
    });
  }

  test('the CLI reaches the store no other way than over HTTPS', () => {
    const bad = offenders(
      FILES.filter(f => f.startsWith('hub/cli/')),
      file =>
        importsOf(file).find(i => i.from.startsWith('hub/store/') && !i.typeOnly)?.from ?? null,
    );
    assert.deepEqual(bad, []);
  });

  test('the container runtime is used through its port, but for the entry that builds it', () => {
    const port = new Set(
      ['runtime', 'attach', 'container-ending', 'exec', 'images', 'log-paths'].map(
        face => `agent/runtime/${face}.js`,
      ),
    );
    const bad = offenders(
      FILES.filter(
        f =>
          f.startsWith('agent/') &&
          !f.startsWith('agent/runtime/') &&
          !/^agent\/(agent|pods-on-engine)\.ts$/.test(f),
      ),
      file =>
        importsOf(file).find(i => /^agent\/runtime\//.test(i.from) && !port.has(i.from))?.from ??
        null,
    );
    assert.deepEqual(bad, []);
  });

  test('only acceptance brands a document as verified', () => {
    const users = FILES.filter(file => /\bbrand\(/.test(codeOf(file)));
    assert.deepEqual(
      users.filter(file => !/^protocol\/(verified|verify-[a-z]+)\.ts$/.test(file)),
      [],
    );
  });
});

/** Files that compute only: no clock, no randomness, no disk, no network. */
const DECISIONS = matching([
  /^protocol\//,
  /^hub\/rollout\/(revise|rollout|director)\.ts$/,
  /^hub\/rollout\/waves\//,
  /^hub\/daemonset\//,
  /^hub\/foresight\/(price|images|random|replay|actor|temper|run|rehearse)\.ts$/,
  /^hub\/ingest\/(node-state|mirror|starts)\.ts$/,
  /^agent\/time\/(conditions|node-time|silence|timeline)\.ts$/,
  /^hub\/link\/publisher-decide\.ts$/,
  /^hub\/broker\/access\.ts$/,
  /^hub\/(selectors|objects)\.ts$/,
  /^hub\/signing\/(public-key|signature-count|accept-bundle)\.ts$/,
  /^hub\/cli\/(bundle-diff|bundle-text|shell-word|describe-text|rollout-progress|resources|table)\.ts$/,
  /^agent\/pods\/(desired|plan|plan-[a-z]+|back-off|pod-(status|conditions|spec|env|resources|reports)|steps|hosts-file|field-values|env-file)\.ts$/,
  /^agent\/admission\//,
  /^agent\/volumes\/(content|evictions|memory-size|missing-objects|pod-paths|volume-gates)\.ts$/,
  /^agent\/intake\/decide\.ts$/,
  /^agent\/report\/(decide|resend|messages)\.ts$/,
  /^agent\/activation\/(table|gate|standing|bundle-health|undo|windows|restart-time)\.ts$/,
  /^agent\/sources\/files-decide\.ts$/,
  /^agent\/probes\/(decide|answer|address)\.ts$/,
  /^agent\/runtime\/docker-(names|options|observe|errors)\.ts$/,
  /^agent\/(config|agent-status|kubelet-configuration)\.ts$/,
]);

/** Where time, environment and the process are at home. */
const CLOCKS = matching([/^(agent|hub)\/clock\.ts$/]);
const ENTRIES = matching([/^agent\/(main|agent)\.ts$/, /^hub\/main\.ts$/, /^(agent|hub)\/cli\//]);

const BANS: readonly [string, RegExp, (file: string) => boolean, string][] = [
  ['Date.now and new Date()', /\bDate\.now\b|\bnew Date\(\)/, CLOCKS, 'take a Clock'],
  ['Math.random', /\bMath\.random\b/, () => false, 'take random as an argument'],
  ['process.env', /\bprocess\.env\b/, ENTRIES, 'take settings as arguments'],
  ['process.exit', /\bprocess\.exit\(/, ENTRIES, 'set the exit code in the entry'],
  ['console', /\bconsole\./, () => false, 'take a Log, or print in a command'],
  ['any', /(:|<|\bas) any\b/, () => false, 'use unknown'],
];

describe('what a layer may touch', () => {
  for (const [what, pattern, allowed, instead] of BANS) {
    test(`${what} stays at home: ${instead}`, () => {
      const bad = FILES.filter(file => pattern.test(codeOf(file)) && !allowed(file));
      assert.deepEqual(bad, []);
    });
  }

  test('decisions touch neither disk, network, timers nor the process', () => {
    const bad = offenders(FILES.filter(DECISIONS), file => {
      const wrong = importsOf(file).find(
        i =>
          !i.typeOnly &&
          (/^node:(fs|net|http|https|tls|os|timers|child_process)/.test(i.from) ||
            /^(dockerode|mqtt|aedes|better-sqlite3|commander)$/.test(i.from)),
      );
      if (wrong) return `imports ${wrong.from}`;
      return /\b(setTimeout|setInterval|setImmediate)\(|\bprocess\./.test(codeOf(file))
        ? 'uses a timer or the process'
        : null;
    });
    assert.deepEqual(bad, []);
  });
});

describe('rooms', () => {
  const LINES_MAX = 360;

  test(`no file has more than ${LINES_MAX} lines: split a crowded room by meaning`, () => {
    const bad = offenders(FILES, file => {
      const lines = (TEXT.get(file) ?? '').split('\n').length - 1;
      return lines > LINES_MAX ? `${lines} lines` : null;
    });
    assert.deepEqual(bad, []);
  });

  test('each file begins with what it promises', () => {
    assert.deepEqual(
      FILES.filter(file => !/^(#!.*\n)?\/\*\*/.test(TEXT.get(file) ?? '')),
      [],
    );
  });

  test('no default exports, no utils', () => {
    assert.deepEqual(
      FILES.filter(file => /^export default/m.test(TEXT.get(file) ?? '') || /utils?\b/.test(file)),
      [],
    );
  });
});

describe('documents say what the code says', () => {
  const doc = (name: string) => readFileSync(join(ROOT, name), 'utf8');

  test('docs/errors.md names every code', () => {
    const text = doc('docs/errors.md');
    const codes = [
      ...REFUSAL_CODES,
      ...MANIFEST_ERROR_CODES,
      ...FIELD_ERROR_CODES,
      ...Object.keys(REQUEST_REASONS),
    ];
    assert.deepEqual(
      codes.filter(code => !text.includes(`\`${code}\``)),
      [],
    );
  });

  test('docs/errors.md names every exit code', () => {
    for (const code of Object.values(EXIT))
      assert.match(doc('docs/errors.md'), new RegExp(`^\\| ${code} \\|`, 'm'));
  });

  test('docs/pods.md is what `npm run docs` writes', () => {
    const written = execFileSync('node', [join(ROOT, 'protocol/schema/pod-docs.mjs'), '--print'], {
      encoding: 'utf8',
    });
    assert.equal(doc('docs/pods.md'), written);
  });

  test('every file that CONTRIBUTING.md and docs/architecture.md name is there', () => {
    const named = [
      ...`${doc('CONTRIBUTING.md')}${doc('docs/architecture.md')}`.matchAll(
        /`([a-z]+\/[\w/.-]+\.(?:ts|md))`/g,
      ),
    ];
    assert.ok(named.length > 5);
    for (const [, path] of named)
      assert.doesNotThrow(() => readFileSync(join(ROOT, path ?? '')), `${path ?? ''}`);
  });
});
