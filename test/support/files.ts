/** What lies in a folder and below, for tests that tell what changed. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Size and time of the last change by path. */
export function filesOf(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter(file => file.isFile())
      .map(file => {
        const path = join(file.parentPath, file.name);
        const { size, mtimeMs } = statSync(path);
        return [path.slice(folder.length + 1), `${size} ${mtimeMs}`];
      }),
  );
}
