/** What an inspector whose GPU was lost must show: what happened and what to do, and after that what was asked for. */
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { eventually } from './notebook_page.ts';

/** Looks at one step after the other until the loss is told, then does as it says. */
export async function seeLoss(page: Page): Promise<void> {
  const told = page.locator('.view .failure');
  const steps = ['Qcur-2', 'ffn_norm-1', 'l_out-4', 'Vcur-3', 'kq-1', 'ffn_gate-5'].values();
  const shownOf = async (step: string) => {
    await page.locator(`[data-step="${step}"]`).click();
    await page.locator('.step h3', { hasText: step }).or(told).first().waitFor();
    return told.allTextContents();
  };
  let last = '';
  await eventually(() => {
    last = steps.next().value ?? last;
    return shownOf(last);
  }).toEqual([
    expect.stringMatching(
      /^Cannot go on: the GPU was lost \(.+\)\. Do it again: a new device is opened, .* choose the reference backend$/,
    ),
  ]);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.step h3', { hasText: last }).waitFor();
  expect(await told.count()).toBe(0);
}
