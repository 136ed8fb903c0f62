/**
 * kubectl takes `-n`, `--kubeconfig` and `--context` in front of the command as well as behind it. Here they are options of each command
 * that talks to the hub: what stands in front is put behind. Pure.
 */
const NAMES = ['-n', '--namespace', '--kubeconfig', '--context'];

/** Arguments of the program, without its own name. */
export function behindTheCommand(args: readonly string[]): string[] {
  const leading: string[] = [];
  let at = 0;
  for (;;) {
    const word = args[at] ?? '';
    const isJoined = NAMES.some(name => name.startsWith('--') && word.startsWith(`${name}=`));
    const taken = isJoined || /^-n./.test(word) ? 1 : NAMES.includes(word) ? 2 : 0;
    if (taken === 0 || at + taken > args.length) break;
    leading.push(...args.slice(at, at + taken));
    at += taken;
  }
  const rest = args.slice(at);
  // What follows is a command of a container.
  const end = rest.indexOf('--');
  const own = end < 0 ? rest : rest.slice(0, end);
  return [...own, ...leading, ...(end < 0 ? [] : rest.slice(end))];
}
