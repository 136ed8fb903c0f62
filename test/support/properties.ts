/**
 * fast-check with the seed that all property tests share: the same histories in every run of the suite, so that a change is what makes it
 * fail. Others are tried with `SEED=7 node --test dist/test/unit/activation/histories.test.js`.
 */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['SEED'] ?? 1) });

export { fc };
