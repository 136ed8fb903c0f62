/** Where each chapter of the kill test begins, and which have to be lived through before it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chapterBefore, CHAPTERS, withPast } from '../../kill/chapters.js';

const named = (name: string) => {
  const found = CHAPTERS.find(one => one.name === name);
  assert.ok(found, name);
  return found;
};

const rows = [
  { name: 'install', before: undefined, lived: ['install'] },
  { name: 'rollback', before: 'update', lived: ['install', 'update', 'rollback'] },
  {
    name: 'replaced',
    before: 'password',
    lived: CHAPTERS.map(one => one.name).filter(name => name !== 'removal'),
  },
];

for (const { name, before, lived } of rows) {
  test(`${name} begins where ${before ?? 'nothing'} ended`, () => {
    assert.equal(chapterBefore(named(name))?.name, before);
    assert.deepEqual(
      withPast([named(name)]).map(one => one.name),
      lived,
    );
  });
}
