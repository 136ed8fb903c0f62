/** The engine's own sentence, without what the client library puts around it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageOf } from '../../../agent/runtime/docker-errors.js';

const rows: [string, unknown, string][] = [
  [
    'the body of the answer counts',
    { json: { message: 'no such image' }, message: 'x' },
    'no such image',
  ],
  [
    'what HTTP said in front of it is left out',
    { message: '(HTTP code 500) server error - Get "https://r.example/v2/": no such host' },
    'Get "https://r.example/v2/": no such host',
  ],
  [
    'with no sentence behind it, it is all there is',
    { message: '(HTTP code 500) server error - ' },
    '(HTTP code 500) server error -',
  ],
  ['an error of this machine', new Error('connect ENOENT /x.sock'), 'connect ENOENT /x.sock'],
];

for (const [sentence, error, wanted] of rows) {
  test(sentence, () => assert.equal(messageOf(error), wanted));
}
