/** Where the targets are, and which modules get counters. */

/** Everything that is compiled of these; what is of `test/` is never counted. */
export const ROOTS: readonly string[] = ['protocol', 'agent', 'hub'].map(
  folder => new URL(`../../${folder}/`, import.meta.url).href,
);

export const MODULES: readonly string[] = [
  'documents',
  'deltas',
  'manifests',
  'texts',
  'files',
  'answers',
  'archives',
  'http',
].map(name => new URL(`./targets/${name}.js`, import.meta.url).href);
