SELECT MIN(n.name) AS name, MIN(ci.note) AS note
FROM cast_info AS ci, movie_keyword AS mk, name AS n
WHERE n.name LIKE '%note IS NULL%' AND ci.note LIKE '%(voice)%' AND mk.movie_id = ci.movie_id AND n.id = ci.person_id;
