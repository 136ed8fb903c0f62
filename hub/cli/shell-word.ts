/** Text as one word of a command that a person may paste into a shell (POSIX quoting). Pure. */

export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
