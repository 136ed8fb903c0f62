/**
 * Keeps one promise of the journal and kills itself (SIGKILL) in the same moment. Arguments: data
 * directory, promise.
 */
import { randomBytes } from 'node:crypto';
import { openJournal } from '../../agent/journal/open.js';
import { fastClock } from './fast-clock.js';
import { NOW } from './fleet.js';
import { PROMISES } from './journal-promises.js';

const [dataDir = '', name = ''] = process.argv.slice(2);
const randomId = () => randomBytes(16).toString('hex');
const journal = openJournal({ dataDir, clock: fastClock(NOW), randomId });
const promise = PROMISES.find(({ sentence }) => sentence === name);
if (!promise) throw new Error(`no such promise: ${name}`);
promise.make(journal);
process.kill(process.pid, 'SIGKILL');
