/**
 * Single values that go along with transactions that are made anyway: losing what changed since the last one costs nothing that a
 * transaction of its own would be worth. What the node used, how long the path to a broker holds,
 * and what is sealed to the hub is sealed to.
 */
import { diskTakes, type Connection } from './database.js';
import { getMeta, setMeta } from './meta.js';
import type { Writer } from './writer.js';

export type AlongsideName = 'usage' | 'keep-alive' | 'hub-sealing-key';

export interface Alongside {
  read(): string | null;
  /** Asked within each transaction; null: nothing that is worth a page of it. */
  alongside(make: () => string | null): void;
  /** One transaction; a disk that refuses it takes what changed since the last one. */
  save(text: string): void;
}

export function alongside(db: Connection, writer: Writer, name: AlongsideName): Alongside {
  return {
    read: () => getMeta(db, name),
    alongside: make => {
      writer.alongside.set(name, () => {
        const text = make();
        if (text !== null) setMeta(db, name, text);
      });
    },
    save: text => void diskTakes(() => writer.durably(() => setMeta(db, name, text))),
  };
}
