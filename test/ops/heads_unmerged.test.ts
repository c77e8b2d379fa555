import { headsUnmerged } from '../../src/ops/heads_unmerged.ts';
import { f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

// Two tokens, two heads of one dimension: head 0 holds 1 and 3, head 1 holds 2 and 4.
onEveryBackend(
  'heads_unmerged gives a token the first numbers of head 0, then of head 1',
  headsUnmerged,
  { tensors: { x: f32([2, 2, 1], [1, 2, 3, 4]) }, pass: { nTokens: 2, nPast: 0 } },
  isNear([1, 3, 2, 4]),
);

onEveryBackend(
  'heads_unmerged changes nothing for one token',
  headsUnmerged,
  { tensors: { x: f32([1, 2, 2], [1, 2, 3, 4]) }, pass: { nTokens: 1, nPast: 0 } },
  isNear([1, 2, 3, 4]),
);

onEveryBackend('heads_unmerged agrees with the reference on 3 tokens of 5 heads of 37', headsUnmerged, {
  tensors: { x: randomTensor(1, [3, 5, 37]) },
  pass: { nTokens: 3, nPast: 0 },
});
