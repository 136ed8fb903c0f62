/** Images that a bundle binds to digests: sentence → input → expectation. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  bindingsFrom,
  bindingsOf,
  bindingText,
  boundReference,
  contradiction,
  satisfies,
} from '../../../protocol/image-binding.js';
import { containerHash } from '../../../protocol/pod-identity.js';

const hex = (digit: string) => digit.repeat(64);
const A = `sha256:${hex('a')}`;
const B = `sha256:${hex('b')}`;

describe('what satisfies a binding', () => {
  const rows: [string, { id: string; repoDigests: string[] }, boolean][] = [
    ['the image id', { id: A, repoDigests: [] }, true],
    ['the id as Podman writes it', { id: hex('a'), repoDigests: [] }, true],
    ['a repo digest', { id: B, repoDigests: [`reg.example/web@${A}`] }, true],
    ['a repo digest of another name', { id: B, repoDigests: [`mirror/x@${A}`] }, true],
    ['other content', { id: B, repoDigests: [`reg.example/web@${B}`] }, false],
  ];
  for (const [sentence, image, expected] of rows)
    test(sentence, () => assert.equal(satisfies(image, [A]), expected));
});

describe('what a bundle binds', () => {
  const images = [
    { image: 'web:1', digests: [A, B] },
    { image: 'free:1', digests: [] },
    { image: `named@${A}`, digests: [A] },
  ];
  test('tags with digests, and not what names a digest itself', () => {
    assert.deepEqual([...bindingsOf(images)], [['web:1', [A, B]]]);
  });

  test('a reference that names another digest contradicts it', () => {
    assert.equal(contradiction(images), null);
    assert.match(contradiction([{ image: `named@${A}`, digests: [B] }]) ?? '', /contradicts/);
  });

  test('the annotation holds the pod’s own images and reads back', () => {
    const pod = (image: string) => ({ spec: { containers: [{ name: 'app', image }] } });
    assert.equal(bindingText(pod('free:1'), bindingsOf(images)), null);
    const text = bindingText(pod('web:1'), bindingsOf(images)) ?? '';
    assert.deepEqual([...bindingsFrom(text)], [['web:1', [A, B]]]);
    for (const odd of [undefined, 'no JSON', '[]', '{"web:1":[]}', 'null', '{"web:1":"x"}'])
      assert.equal(bindingsFrom(odd).size, 0, odd);
  });

  test('other digests make another container of the same manifest', () => {
    const container = { name: 'app', image: 'web:1' };
    const hashes = [undefined, [A], [B]].map(digests => containerHash(container, digests));
    assert.equal(new Set(hashes).size, 3);
    assert.equal(containerHash(container), hashes[0]);
  });

  test('a registry is asked without the tag', () => {
    assert.equal(
      boundReference('reg.example:5000/team/web:1', A),
      `reg.example:5000/team/web@${A}`,
    );
    assert.equal(boundReference('web', A), `web@${A}`);
  });
});
