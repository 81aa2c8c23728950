SELECT MIN(t.title) AS title, MIN(t.production_year) AS year, MIN(mc.note) AS note, MIN(k.keyword) AS keyword
FROM keyword AS k, movie_companies AS mc, movie_keyword AS mk, title AS t
WHERE k.keyword = 'small-town' AND mc.note IS NULL AND t.production_year > 2000
  AND t.id = mk.movie_id AND k.id = mk.keyword_id AND mc.movie_id = t.id;
