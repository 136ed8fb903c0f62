/** What the CLI prints of a Status with which the hub refuses: each thing once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../hub/cli/client.js';

const refusal = (message: string, causes: { field?: string; message: string }[]) =>
  new ApiError({ kind: 'Status', message, reason: 'Invalid', details: { causes } }, 422);

test('a cause that the message names is not printed again; its field is known all the same', () => {
  const fault = '"Bad_Name" is not an RFC 1123 label';
  const error = refusal(`Bundle "Bad_Name" is invalid: metadata.name: ${fault}`, [
    { field: 'metadata.name', message: fault },
  ]);
  assert.equal(
    error.message,
    `the hub refused: Bundle "Bad_Name" is invalid: metadata.name: ${fault} (Invalid)`,
  );
  assert.deepEqual(error.fields, ['metadata.name']);
});

test('a cause that the message does not name has a line of its own', () => {
  const error = refusal('Bundle "shop" is invalid', [
    { field: 'spec.a', message: 'too long' },
    { message: 'and old' },
  ]);
  assert.equal(
    error.message,
    'the hub refused: Bundle "shop" is invalid (Invalid)\n  spec.a: too long\n  and old',
  );
});
