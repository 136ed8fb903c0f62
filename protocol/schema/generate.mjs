/**
 * First step of the build: compiles the schemas of Pods and of the wire documents into one plain
 * JavaScript file, because compiling them in the agent costs 250 ms and 25 MB.
 *
 * Reads `protocol/documents/` (every exported interface whose name ends in `Document`, and
 * `Envelope`), `protocol/pod-grammar.ts`, the declarations of kubernetes-types. Writes
 * `dist/protocol/generated/`: `validators.js` (self-contained) and `pod.schema.json` (for tests and
 * docs), and the declarations of the first, `protocol/generated/validators.d.ts`, which are
 * committed. Does nothing when the inputs are those of the last run.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const protocol = dirname(here);
const out = join(dirname(protocol), 'dist', 'protocol', 'generated');
const declarations = join(protocol, 'generated', 'validators.d.ts');
const documents = join(protocol, 'documents');
const grammar = join(protocol, 'pod-grammar.ts');
const require = createRequire(import.meta.url);

/** Interfaces that become validators: their names must say so, other interfaces are only parts. */
const DOCUMENT_INTERFACE = /^export interface (\w*Document|Envelope)\b/gm;

function inputsDigest() {
  const hash = createHash('sha256');
  const scripts = readdirSync(here).filter(name => name.endsWith('.mjs'));
  const versions = ['ajv', 'esbuild', 'kubernetes-types', 'ts-json-schema-generator', 'typescript'];
  for (const name of versions) hash.update(readFileSync(require.resolve(`${name}/package.json`)));
  for (const file of scripts.sort()) hash.update(file).update(readFileSync(join(here, file)));
  const files = documentFiles();
  const borrowed = files.flatMap(file => importedBy(file));
  for (const file of [...new Set([...files, ...borrowed, grammar])].sort()) {
    hash.update(file).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function documentFiles() {
  const names = readdirSync(documents).filter(name => name.endsWith('.ts'));
  return names.sort().map(name => join(documents, name));
}

/** The files that a file takes declarations from, transitively. */
function importedBy(file, seen = new Set()) {
  for (const [, path] of readFileSync(file, 'utf8').matchAll(/from '(\.{1,2}\/[\w/.-]+)\.js'/g)) {
    const next = join(dirname(file), `${path}.ts`);
    if (seen.has(next) || !existsSync(next)) continue;
    seen.add(next);
    importedBy(next, seen);
  }
  return [...seen];
}

async function loadGrammars() {
  const { buildSync } = await import('esbuild');
  const { outputFiles } = buildSync({ entryPoints: [grammar], write: false, format: 'esm' });
  const code = Buffer.from(outputFiles[0].contents).toString('base64');
  return (await import(`data:text/javascript;base64,${code}`)).GRAMMARS;
}

/**
 * The wire carries integers only: every `number` of a document is one, whether annotated or not.
 */
function wholeNumbers(node) {
  if (Array.isArray(node)) return node.map(wholeNumbers);
  if (node === null || typeof node !== 'object') return node;
  const entries = Object.entries(node).map(([key, value]) => [key, wholeNumbers(value)]);
  const schema = Object.fromEntries(entries);
  if (schema.type === 'number') schema.type = 'integer';
  if (Array.isArray(schema.type)) {
    schema.type = schema.type.map(type => (type === 'number' ? 'integer' : type));
  }
  return schema;
}

/** By the name of the document: its schema, and the file that declares it. */
async function documentSchemas() {
  const { createGenerator } = await import('ts-json-schema-generator');
  const tsconfig = join(protocol, 'tsconfig.json');
  const path = join(documents, '*.ts');
  const generator = createGenerator({ path, tsconfig, type: '*', skipTypeCheck: true });
  const found = documentFiles().flatMap(file => {
    const names = [...readFileSync(file, 'utf8').matchAll(DOCUMENT_INTERFACE)].map(m => m[1]);
    return names.map(name => [name, { file, schema: wholeNumbers(generator.createSchema(name)) }]);
  });
  return Object.fromEntries(found);
}

function declarationsOf(documentsByName) {
  const names = Object.keys(documentsByName);
  const lines = [
    '// Made by protocol/schema/generate.mjs; do not edit.',
    "import type { ErrorObject } from '../schema-error.js';",
  ];
  for (const file of documentFiles()) {
    const from = names.filter(name => documentsByName[name].file === file);
    if (from.length === 0) continue;
    const module = `../documents/${basename(file, '.ts')}.js`;
    lines.push(`import type { ${from.join(', ')} } from '${module}';`);
  }
  lines.push(
    '',
    '/** `errors` belongs to the last call: read it at once. */',
    'interface Validator {',
    '  (value: unknown): boolean;',
    '  errors?: ErrorObject[] | null;',
    '}',
    '',
    'interface DocumentValidator<T> {',
    '  (value: unknown): value is T;',
    '  errors?: ErrorObject[] | null;',
    '}',
    '',
    '/** Reports all errors. */',
    'export const validatePod: Validator;',
  );
  for (const name of names) {
    lines.push(
      `/** Reports the first error. */`,
      `export const validate${name}: DocumentValidator<${name}>;`,
    );
  }
  return `${lines.join('\n')}\n`;
}

async function standalone(schemas) {
  const { default: Ajv } = await import('ajv');
  const { default: standaloneCode } = await import('ajv/dist/standalone/index.js');
  const options = {
    allErrors: schemas.allErrors,
    strict: true,
    // A union of types (int-or-string, quantity): the schema reads both spellings.
    allowUnionTypes: true,
    // A pattern beside such a union applies to the string form only.
    strictTypes: false,
    inlineRefs: false,
    code: { source: true, esm: true, lines: false },
  };
  const ajv = new Ajv(options);
  const exported = {};
  for (const [name, schema] of Object.entries(schemas.byName)) {
    ajv.addSchema({ ...schema, $id: name });
    exported[`validate${name}`] = name;
  }
  return standaloneCode(ajv, exported);
}

async function bundle(parts) {
  const { build } = await import('esbuild');
  const entry = Object.keys(parts)
    .map(name => `export * from './${name}';`)
    .join('\n');
  const virtual = {
    name: 'generated-parts',
    setup(plugin) {
      plugin.onResolve({ filter: /^\.\/part-/ }, ({ path }) => ({ path, namespace: 'part' }));
      plugin.onLoad({ filter: /.*/, namespace: 'part' }, ({ path }) => ({
        contents: parts[path.slice(2)],
        resolveDir: here,
      }));
    },
  };
  const result = await build({
    stdin: { contents: entry, resolveDir: here },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minify: true,
    legalComments: 'none',
    plugins: [virtual],
  });
  return result.outputFiles[0].text;
}

/** Leaves an equal file alone, so that the compiler does not see a change. */
function writeWhole(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

async function main() {
  const digest = inputsDigest();
  const stamp = join(out, 'inputs.sha256');
  const validators = join(out, 'validators.js');
  const schema = join(out, 'pod.schema.json');
  const complete = [validators, schema, declarations, stamp].every(file => existsSync(file));
  if (complete && readFileSync(stamp, 'utf8') === digest) return;

  const { podSchema } = await import('./pod-schema.mjs');
  const pod = podSchema(await loadGrammars());
  const found = await documentSchemas();
  const byName = Object.fromEntries(
    Object.entries(found).map(([name, { schema }]) => [name, schema]),
  );
  const parts = {
    'part-pod': await standalone({ byName: { Pod: pod }, allErrors: true }),
    'part-documents': await standalone({ byName, allErrors: false }),
  };
  const code = await bundle(parts);
  writeWhole(schema, JSON.stringify(pod));
  writeWhole(validators, code);
  writeWhole(declarations, declarationsOf(found));
  writeWhole(stamp, digest);
}

await main();
