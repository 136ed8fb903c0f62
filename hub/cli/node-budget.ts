/** `flotilla node budget`: what a node may use of its link in a month, and write in a day. */
import { Command } from 'commander';
import { BUDGET_NAMES, budgetFault, budgetForm, type BudgetName } from '../../protocol/budget.js';
import { CliError } from '../../protocol/cli-error.js';
import { connected, withConnection, type ConnectionOptions, type Context } from './context.js';

interface BudgetOptions extends ConnectionOptions {
  link?: string;
  writes?: string;
}

const NONE = 'none';

const EXAMPLES = `
Examples:
  flotilla node budget edge-1 --link 20Mi/month --writes 2Mi/day
  flotilla node budget edge-1 --link none
  flotilla node budget edge-1
`;

export function budgetCommand(context: Context): Command {
  return withConnection(new Command('budget'))
    .summary('say what a node may use of its link and its disk')
    .description(
      'It reaches the node in its signed assignment; of this and the node’s own configuration the lower one counts. As a budget ' +
        'shrinks the node reports less often; assignments and their content come all the same. `flotilla describe node` shows ' +
        'what is used, and what to expect. Without options: what was said here.',
    )
    .argument('<name>', 'the node')
    .option('--link <bytes>', `${budgetForm('link')}, at least 64Ki, or none`)
    .option('--writes <bytes>', `${budgetForm('writes')}, at least 64Ki, or none`)
    .addHelpText('after', EXAMPLES)
    .action((name: string, options: BudgetOptions) =>
      connected(context, options, async hub => {
        const path = `/apis/flotilla.dev/v1/nodes/${encodeURIComponent(name)}/budget`;
        const body = Object.fromEntries(BUDGET_NAMES.flatMap(of => wish(of, options[of])));
        const { budget } = await hub.client.call<{ budget: Partial<Record<BudgetName, string>> }>({
          ...{ method: 'POST', path, body },
        });
        context.terminal.print(budgetText(name, budget));
      }),
    );
}

function wish(name: BudgetName, text: string | undefined): [string, string | null][] {
  if (text === undefined) return [];
  if (text === NONE) return [[name, null]];
  const fault = budgetFault(name, text);
  if (fault === null) return [[name, text]];
  throw new CliError('refused', `--${name} ${text}: ${fault} (or none)`);
}

/** Pure. */
export function budgetText(node: string, budget: Partial<Record<BudgetName, string>>): string {
  const of = (name: BudgetName, period: string) => {
    const text = budget[name]?.split('/')[0];
    return text === undefined ? [] : [`${name} ${text}/${period}`];
  };
  const all = [...of('link', 'month'), ...of('writes', 'day')];
  return `node/${node}: ${all.length === 0 ? 'no budget' : all.join(', ')}`;
}
