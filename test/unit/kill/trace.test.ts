/** Which calls of an agent reach the disk. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onDisk, type FileCall } from '../../kill/trace.js';

const mkdir = (path: string): FileCall => ({ is: 'mkdir', path });
const remove = (path: string): FileCall => ({ is: 'remove', path });

test('what is done below a mount in memory is none of the disk, the mount point is', () => {
  const calls = [
    mkdir('pods/a/db'),
    mkdir('pods/a/db/..data'),
    remove('pods/a/db/..former/password'),
    mkdir('pods/a/db-beside'),
    remove('pods/a/db'),
  ];
  assert.deepEqual(onDisk(calls, ['pods/a/db']), [
    mkdir('pods/a/db'),
    mkdir('pods/a/db-beside'),
    remove('pods/a/db'),
  ]);
  assert.deepEqual(onDisk(calls, []), calls);
});
