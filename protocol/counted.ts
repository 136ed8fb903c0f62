/** `1 node`, `7 nodes`: how many there are, in a sentence. Pure. */
export function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
