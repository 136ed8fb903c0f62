/**
 * Every manifest under test/vectors/manifests: the valid ones give the documents in
 * `<name>.documents.json` and pass validation as a person's file; the invalid ones give exactly the
 * lines in `<name>.txt`.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readManifests } from '../../../protocol/manifest.js';
import { isConfigObject, validateConfigObject } from '../../../protocol/config-object.js';
import { validatePodManifest } from '../../../protocol/pod-validation.js';

const vectors = fileURLToPath(new URL('../../../../test/vectors/manifests/', import.meta.url));

function manifestsIn(folder: string): { name: string; file: string }[] {
  return readdirSync(`${vectors}${folder}`)
    .filter(name => !name.endsWith('.txt') && !name.endsWith('.documents.json'))
    .map(name => ({ name, file: `${vectors}${folder}/${name}` }));
}

function validate(value: Record<string, unknown>) {
  const context = { context: 'file' } as const;
  return isConfigObject(value)
    ? validateConfigObject(value, context)
    : validatePodManifest(value, context);
}

function errorLines(name: string, bytes: Uint8Array): string[] {
  const reading = readManifests(bytes, { source: name });
  if (!reading.ok) {
    return reading.errors.map(({ where, message, code }) => `${where}: ${message} [${code}]`);
  }
  return reading.documents.flatMap(document => {
    const result = validate(document.value);
    if (result.ok) return [];
    return result.errors.map(
      ({ path, message, code }) => `${document.where(path)}: ${message} [${code}]`,
    );
  });
}

describe('valid manifests', () => {
  for (const { name, file } of manifestsIn('valid')) {
    test(`${name} gives its documents`, () => {
      const reading = readManifests(readFileSync(file), { source: name });
      assert.ok(reading.ok, JSON.stringify(reading));
      const expected: unknown = JSON.parse(readFileSync(`${file}.documents.json`, 'utf8'));
      assert.deepEqual(
        reading.documents.map(document => document.value),
        expected,
      );
      for (const { value } of reading.documents.filter(document => 'kind' in document.value)) {
        const result = validate(value);
        assert.ok(result.ok, JSON.stringify(result));
      }
    });
  }
});

describe('invalid manifests', () => {
  for (const { name, file } of manifestsIn('invalid')) {
    test(`${name} is refused with its errors`, () => {
      const expected = readFileSync(`${file}.txt`, 'utf8').trimEnd().split('\n');
      assert.deepEqual(errorLines(name, readFileSync(file)), expected);
      assert.notDeepEqual(expected, ['']);
    });
  }

  test('a refused prototype key leaves all objects as they were', () => {
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });
});
