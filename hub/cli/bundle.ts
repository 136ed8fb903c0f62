/** `flotilla bundle`: revisions that are built, signed and checked away from the hub. */
import { Command } from 'commander';
import type { Context } from './context.js';
import { exportCommand, importCommand } from './bundle-carry.js';
import { buildCommand } from './bundle-build.js';
import { showCommand, verifyCommand } from './bundle-check.js';
import { signCommand } from './bundle-sign.js';

export function bundleCommand(context: Context): Command {
  return new Command('bundle')
    .summary(
      'build, sign and check bundles away from the hub; carry them to nodes without a network',
    )
    .addCommand(buildCommand(context))
    .addCommand(signCommand(context))
    .addCommand(verifyCommand(context))
    .addCommand(showCommand(context))
    .addCommand(exportCommand(context))
    .addCommand(importCommand(context));
}
