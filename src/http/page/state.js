// What is asked for: from the address to the state, from the state to the address and to GraphQL.

export const keys = ['C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#', 'A', 'A#', 'B'];
export const bounds = { year: ['Year', '', 9999], tempo: ['Tempo', 'in beats per minute', 999], energy: ['Energy', 'in percent', 100] };
export const ranges = Object.keys(bounds);
export const choices = ['genre', 'mood', 'key', 'mode'];

export function read(search) {
  const params = new URLSearchParams(search);
  const ids = (name) => [...new Set(params.getAll(name).filter((id) => /^song:[\w-]+$/i.test(id)))];
  const one = (name, allowed) => (allowed.includes(params.get(name)) ? params.get(name) : '');
  const found = {
    q: (params.get('q') ?? '').slice(0, 500),
    by: params.get('by') === 'sound' ? 'sound' : 'words',
    like: ids('like'),
    avoid: ids('avoid'),
    genre: params.get('genre') ?? '',
    mood: params.get('mood') ?? '',
    key: one('key', keys),
    mode: one('mode', ['major', 'minor']),
  };
  for (const name of ranges) {
    const [, from, to] = /^(\d*\.?\d*)-(\d*\.?\d*)$/.exec(params.get(name)) ?? [];
    found[name] = [from, to].map((bound) => (Number(bound) >= 0 ? bound : ''));
  }
  return found;
}

export function address(state) {
  const params = new URLSearchParams();
  const set = (name, value) => value && params.append(name, value);
  set('q', state.q.trim());
  set('by', state.by === 'sound' && 'sound');
  for (const name of ['like', 'avoid']) state[name].forEach((id) => set(name, id));
  for (const name of choices) set(name, state[name]);
  for (const name of ranges) set(name, state[name].some(Boolean) && state[name].join('-'));
  return params.size ? `/?${params.toString().replaceAll('%3A', ':')}` : '/';
}

/** How many filters are set. */
export const filtered = (state) => choices.filter((name) => state[name]).length + ranges.filter((name) => state[name].some(Boolean)).length;

/** The range whose bounds are the wrong way round, if any. */
export const reversed = (state) => ranges.find((name) => state[name].every(Boolean) && Number(state[name][0]) > Number(state[name][1]));

const listed = (text) => text.split(',').map((part) => part.trim()).filter(Boolean);

function where(state) {
  const song = {};
  const genres = listed(state.genre);
  const moods = listed(state.mood);
  if (genres.length) song.genre = genres.length > 1 ? { in: genres } : { eq: genres[0] };
  if (moods.length) song.moods = moods;
  for (const name of ranges) {
    const range = {};
    ['gte', 'lte'].forEach((end, index) => {
      const bound = Number(state[name][index]);
      if (state[name][index]) range[end] = name === 'energy' ? bound / 100 : name === 'year' ? Math.trunc(bound) : bound;
    });
    if (Object.keys(range).length) song[name] = range;
  }
  if (state.key) song.key = { eq: state.key };
  if (state.mode) song.mode = state.mode.toUpperCase();
  return Object.keys(song).length ? { song } : null;
}

/** The operation that answers the state; with filters alone a plain list, with nothing `null`. */
export function request(state) {
  const query = state.q.trim();
  const steered = state.like.length + state.avoid.length > 0;
  const variables = { where: where(state) };
  if (!query && !steered) return variables.where && { operation: 'Songs', variables };
  if (query) variables.query = query;
  if (!steered && state.by === 'words') return { operation: 'Search', variables };
  const chosen = (ids) => ids.map((id) => ({ id }));
  if (steered) Object.assign(variables, { like: chosen(state.like), avoid: chosen(state.avoid) });
  return { operation: 'Recommend', variables };
}
