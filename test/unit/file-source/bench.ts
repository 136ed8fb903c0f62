/** A directory of manifests and a source on it, for tests. */
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewEvent } from '../../../agent/ports.js';
import {
  openFileSource,
  type FileSource,
  type FileSourceOptions,
} from '../../../agent/sources/files.js';
import { REAL_CLOCK } from '../../support/clock.js';

export interface FileBench {
  readonly root: string;
  readonly dir: string;
  readonly events: NewEvent[];
  /** By rename. */
  readonly put: (name: string, text: string) => void;
  /** The scan interval is too long to matter: what is seen is seen by inotify. */
  readonly open: (change?: Partial<FileSourceOptions>) => Promise<FileSource>;
  readonly openAt: (path: string, change?: Partial<FileSourceOptions>) => Promise<FileSource>;
}

export function fileBench(cleanups: (() => void | Promise<void>)[]): FileBench {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'flotilla-files-')));
  cleanups.push(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const dir = join(root, 'manifests');
  mkdirSync(dir);
  const events: NewEvent[] = [];
  const put = (name: string, text: string) => {
    writeFileSync(join(dir, `.${name}.new`), text);
    renameSync(join(dir, `.${name}.new`), join(dir, name));
  };
  const openAt = async (path: string, change: Partial<FileSourceOptions> = {}) => {
    const silent = () => undefined;
    const source = await openFileSource({
      path,
      dataDir: join(root, 'data'),
      nodeName: 'edge1',
      clock: REAL_CLOCK,
      log: { info: silent, warn: silent, error: silent },
      events: { record: event => events.push(event) },
      explains: () => false,
      trusted: null,
      fileCheckFrequencyMs: 60_000,
      ...change,
    });
    cleanups.push(() => source.stop());
    return source;
  };
  return { root, dir, events, put, openAt, open: change => openAt(`${dir}/`, change) };
}
