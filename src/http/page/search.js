// The search page: what is typed, pressed and answered. The state is in the address.

import { Trouble, graphql, pageSize, token } from './api.js';
import { el, icon, row } from './row.js';
import { address, bounds, choices, filtered, keys, ranges, read, request, reversed } from './state.js';

const typingPause = 220;
const examples = ['upbeat rock music', 'slow piano for a rainy evening', 'dark electronic, driving bass', 'acoustic songs about leaving home', 'late-night jazz', 'summer song to dance to'];

const $ = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString('en');
const q = $('q');
const results = $('results');
const filterForm = $('filter-form');
const songs = new Map();
const known = { genres: new Set(), moods: new Set() };

let state = read(location.search);
let current = null;
let answered = null;
let cursor = null;
let typingTimer = 0;
let waitTimer = 0;
let networkFailures = 0;
let lastChange = '';

// A run of keystrokes is one step of Back; any other change is its own.
function change(part, kind) {
  state = { ...state, ...part };
  const url = address(state);
  if (url !== location.pathname + location.search) {
    history[kind === 'typing' && lastChange === 'typing' ? 'replaceState' : 'pushState'](null, '', url);
    lastChange = kind;
  }
  clearTimeout(typingTimer);
  typingTimer = setTimeout(search, kind === 'typing' ? typingPause : 0);
  show();
}

async function search() {
  clearTimeout(typingTimer);
  clearTimeout(waitTimer);
  current?.abort();
  const asked = request(state);
  const wrong = reversed(state);
  $('empty').hidden = Boolean(asked);
  if (!asked || wrong) {
    current = null;
    clearTrouble();
    results.removeAttribute('aria-busy');
    draw([]);
    return say(wrong ? `No ${wrong} lies between ${state[wrong][0]} and ${state[wrong][1]}.` : '');
  }
  const mine = (current = new AbortController());
  results.setAttribute('aria-busy', 'true');
  const slow = setTimeout(() => say('Searching…'), 400);
  try {
    const data = await graphql(asked.operation, asked.variables, mine.signal);
    if (mine !== current) return;
    clearTrouble();
    const kept = focusedRow();
    answered = asked;
    draw(data.hits.edges);
    page(data.hits);
    restoreFocus(kept);
  } catch (trouble) {
    if (mine !== current) return;
    draw([]);
    say('');
    complain(trouble, search);
  } finally {
    clearTimeout(slow);
    if (mine === current) results.removeAttribute('aria-busy');
  }
}

async function more() {
  const asked = answered;
  if (!cursor || results.hasAttribute('aria-busy') || $('more').ariaDisabled === 'true') return;
  const mine = (current = new AbortController());
  const byKeyboard = document.activeElement === $('more');
  $('more').ariaDisabled = 'true';
  try {
    const data = await graphql(asked.operation, { ...asked.variables, after: cursor }, mine.signal);
    if (mine !== current) return;
    clearTrouble();
    const before = results.children.length;
    append(data.hits.edges);
    page(data.hits);
    if (byKeyboard) focusRow(before);
  } catch (trouble) {
    if (mine !== current) return;
    if (/cursor/i.test(trouble.code ?? '')) {
      await search();
      say('The catalogue has changed, so the list starts again.');
    } else {
      complain(trouble, more);
    }
  } finally {
    $('more').ariaDisabled = 'false';
  }
}

function page({ edges, pageInfo, totalCount, info }) {
  cursor = pageInfo?.hasNextPage ? pageInfo.endCursor : null;
  $('more').hidden = !cursor;
  suggest(edges.map(({ node }) => node));
  const shown = results.children.length;
  // A full page says by itself that there may be more.
  const cut = info?.complete === false && !cursor && shown < pageSize;
  // Of a list that was cut nobody knows how long it would be.
  const total = info?.complete === false ? null : totalCount;
  say([counted(shown, total), info?.degraded && 'Not everything was compared by meaning; results may be rough.', cut && 'There may be more that were not looked at.'].filter(Boolean).join(' '));
}

function suggest(nodes) {
  for (const { genre, moods } of nodes) {
    if (genre) known.genres.add(genre);
    for (const mood of moods ?? []) known.moods.add(mood);
  }
  for (const [list, values] of Object.entries(known)) $(list).replaceChildren(...[...values].sort().map((value) => el('option', { value })));
}

function counted(shown, total) {
  if (!shown) return filtered(state) ? 'No song matches. Try fewer filters.' : 'No song matches. Try other words.';
  const some = shown === 1 ? '1 song' : `${number(shown)} songs`;
  const count = total > shown ? `${number(shown)} of ${number(total)} songs` : cursor ? `The first ${some}` : some;
  if (answered.operation === 'Songs') return `${count}, by title.`;
  const toward = [state.q.trim() && `“${state.q.trim()}”`, state.like.length && 'what you like'].filter(Boolean).join(' and ');
  return `${count}${toward && ` for ${toward}`}${state.avoid.length ? ', away from what you avoid' : ''}.`;
}

function say(text) {
  if ($('status').textContent !== text) $('status').textContent = text;
}

function complain(trouble, again) {
  const isKnown = trouble instanceof Trouble;
  if (!isKnown) console.error(trouble);
  $('trouble').hidden = false;
  $('trouble-text').textContent = isKnown ? trouble.message : 'Something on this page went wrong. Reload it to go on.';
  $('token-form').hidden = !trouble.token;
  $('retry').hidden = Boolean(trouble.token);
  $('retry').onclick = again;
  if (trouble.token) $('token').focus();
  networkFailures = trouble.offline ? networkFailures + 1 : 0;
  const wait = trouble.wait ?? (trouble.offline ? Math.min(2 ** networkFailures, 15) : 0);
  if (wait) countDown(wait, again);
  else $('trouble-wait').textContent = '';
}

// Outside the alert, so that a screen reader is not told every second.
function countDown(seconds, again) {
  $('trouble-wait').textContent = `Trying again in ${seconds} s.`;
  waitTimer = setTimeout(() => (seconds > 1 ? countDown(seconds - 1, again) : again()), 1000);
}

function clearTrouble() {
  clearTimeout(waitTimer);
  networkFailures = 0;
  $('trouble').hidden = true;
  $('trouble-text').textContent = '';
  $('forget').hidden = !token.get();
}

function draw(edges) {
  cursor = null;
  $('more').hidden = true;
  results.replaceChildren();
  append(edges);
  results.querySelector('article')?.setAttribute('tabindex', '0');
}

function append(edges) {
  for (const { node } of edges) songs.set(node.id, node);
  results.append(...edges.map(row));
  press();
}

function press() {
  for (const button of results.querySelectorAll('[aria-pressed]')) {
    button.ariaPressed = String(state[button.dataset.act].includes(button.closest('article').dataset.id));
  }
}

// Brings the controls in line with the state.
function show() {
  if (q.value.trim() !== state.q.trim()) q.value = state.q;
  document.querySelector(`#by [value=${state.by}]`).checked = true;
  const picks = [...state.like.map((id) => ['like', id]), ...state.avoid.map((id) => ['avoid', id])];
  $('by').hidden = picks.length > 0;
  $('picks').hidden = !picks.length;
  $('pick-list').replaceChildren(...picks.map(pick));
  const fields = filterForm.elements;
  for (const name of choices) if (fields[name].value !== state[name]) fields[name].value = state[name];
  for (const name of ranges) {
    state[name].forEach((bound, index) => {
      const field = fields[`${name}-${index ? 'to' : 'from'}`];
      if (Number(field.value) !== Number(bound) || field.value === '') field.value = bound;
    });
  }
  const set = filtered(state);
  $('filter-count').textContent = set ? `· ${set} set` : '';
  $('filter-clear').hidden = !set;
  press();
  document.title = state.q.trim() ? `${state.q.trim()} · Kindred` : 'Kindred';
}

function pick([kind, id]) {
  const song = songs.get(id);
  const name = song ? [song.title, song.band].filter(Boolean).join(', ') : 'a song';
  const remove = el('button', { type: 'button', 'aria-label': `Remove ${name}`, 'data-kind': kind, 'data-id': id }, icon('close'));
  return el('li', { className: `pick ${kind}` }, icon(kind), el('span', { className: 'sr', textContent: kind === 'like' ? 'Like' : 'Avoid' }), el('span', { dir: 'auto', textContent: name }), remove);
}

async function nameThePicks() {
  const ids = [...state.like, ...state.avoid].filter((id) => !songs.has(id));
  if (!ids.length) return;
  try {
    const { nodes } = await graphql('Names', { ids });
    for (const node of nodes) if (node) songs.set(node.id, node);
    show();
  } catch {
    // The search itself reports the trouble; a chip without its name still works.
  }
}

async function nameTheCatalogue() {
  try {
    const { stats } = await graphql('Catalogue', {});
    const row = stats.kinds.find(({ kind }) => kind === 'SONG');
    if (!row) return;
    const waiting = row.rows - row.embedded;
    $('catalogue').textContent = `${number(row.rows)} ${row.rows === 1 ? 'song' : 'songs'}${waiting > 0 ? `, ${number(waiting)} not embedded yet` : ''}`;
  } catch {
    // A footer is not worth a complaint.
  }
}

const articles = () => [...results.querySelectorAll('article')];

function focusRow(index) {
  const rows = articles();
  const target = rows[Math.max(0, Math.min(index, rows.length - 1))];
  for (const row of rows) row.tabIndex = row === target ? 0 : -1;
  target?.focus();
}

function focusedRow() {
  const article = document.activeElement?.closest?.('article');
  return article && { id: article.dataset.id, act: document.activeElement.dataset.act };
}

function restoreFocus(kept) {
  if (!kept) return;
  const article = results.querySelector(`[data-id="${CSS.escape(kept.id)}"]`);
  const button = article && kept.act && article.querySelector(`[data-act=${kept.act}]`);
  if (button) button.focus();
  else if (articles().length) focusRow(article ? articles().indexOf(article) : 0);
  else q.focus();
}

function act(name, id, value) {
  if (name === 'kin') {
    scrollTo(0, 0);
    return change({ q: '', like: [id], avoid: [] }, 'pick');
  }
  if (value) return change({ [name]: value }, 'filter');
  const other = name === 'like' ? 'avoid' : 'like';
  const chosen = state[name].includes(id) ? state[name].filter((each) => each !== id) : [...state[name], id];
  return change({ [name]: chosen, [other]: state[other].filter((each) => each !== id) }, 'pick');
}

q.addEventListener('input', () => change({ q: q.value }, 'typing'));
q.addEventListener('change', () => (lastChange = ''));
$('search').addEventListener('submit', (event) => {
  event.preventDefault();
  lastChange = '';
  search();
});
$('by').addEventListener('change', (event) => change({ by: event.target.value }, 'by'));

filterForm.addEventListener('submit', (event) => event.preventDefault());
filterForm.addEventListener('input', () => {
  const value = (name) => filterForm.elements[name].value;
  const part = {};
  for (const name of choices) part[name] = value(name).trim();
  for (const name of ranges) part[name] = [value(`${name}-from`), value(`${name}-to`)];
  change(part, 'typing');
});
filterForm.addEventListener('change', () => (lastChange = ''));
filterForm.addEventListener('reset', (event) => {
  event.preventDefault();
  const bare = read('');
  change(Object.fromEntries([...choices, ...ranges].map((name) => [name, bare[name]])), 'filter');
  filterForm.elements.genre.focus();
});

results.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button) act(button.dataset.act, button.closest('article').dataset.id, button.dataset.value);
});
results.addEventListener('focusin', (event) => {
  const focused = event.target.closest('article');
  for (const article of articles()) article.tabIndex = article === focused ? 0 : -1;
});
$('pick-list').addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  const { kind, id } = button.dataset;
  change({ [kind]: state[kind].filter((each) => each !== id) }, 'pick');
  ($('pick-list').querySelector('button') ?? q).focus();
});
$('pick-clear').addEventListener('click', () => {
  change({ like: [], avoid: [] }, 'pick');
  q.focus();
});
$('more').addEventListener('click', more);
$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  token.set($('token').value.trim());
  $('token').value = '';
  search();
  nameTheCatalogue();
  nameThePicks();
});
$('forget').addEventListener('click', () => {
  token.forget();
  $('forget').hidden = true;
  search();
});
addEventListener('online', () => !$('trouble').hidden && search());

addEventListener('popstate', () => {
  state = read(location.search);
  lastChange = '';
  show();
  nameThePicks();
  search();
});

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const inField = event.target.closest('input, select, textarea');
  const article = event.target.closest('article');
  const handled = () => event.preventDefault();
  if (event.key === '/' && !inField) {
    handled();
    q.select();
    q.focus();
  } else if (event.target === q && event.key === 'ArrowDown' && articles().length) {
    handled();
    focusRow(0);
  } else if (event.target === q && event.key === 'Escape' && q.value) {
    handled();
    q.value = '';
    change({ q: '' }, 'clear');
  } else if (article) {
    rowKey(event, article, handled);
  }
});

function rowKey(event, article, handled) {
  const rows = articles();
  const index = rows.indexOf(article);
  const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 }[event.key];
  const key = event.key.toLowerCase();
  if (to !== undefined) {
    handled();
    if (to < 0) q.focus();
    else if (to >= rows.length && !$('more').hidden) $('more').focus();
    else focusRow(to);
  } else if (key === 'escape') {
    handled();
    q.focus();
  } else if (event.target === article && ['enter', 'l', 'a'].includes(key)) {
    handled();
    act({ enter: 'kin', l: 'like', a: 'avoid' }[key], article.dataset.id);
  }
}

for (const [name, [label, unit, max]] of Object.entries(bounds)) {
  const field = (end, placeholder) =>
    el('input', { name: `${name}-${end}`, type: 'number', inputMode: 'decimal', min: 0, max, step: 'any', placeholder, ariaLabel: `${[label, unit].filter(Boolean).join(' ')}, ${end}` });
  const span = el('span', { className: 'range' }, field('from', 'from'), el('span', { textContent: '–', ariaHidden: 'true' }), field('to', 'to'));
  $('filter-clear').before(el('fieldset', { className: 'group' }, el('legend', {}, `${label} `, el('small', { textContent: unit })), span));
}
filterForm.elements.key.append(...keys.map((key) => el('option', { value: key, textContent: key.replace('#', '♯') })));
$('examples').append(...examples.map((text) => el('li', {}, el('a', { href: `/?q=${encodeURIComponent(text)}`, textContent: text }))));
$('filters').open = matchMedia('(min-width: 60rem)').matches;
$('forget').hidden = !token.get();
show();
search();
nameThePicks();
nameTheCatalogue();
if (!location.search && matchMedia('(hover: hover)').matches) q.focus();
