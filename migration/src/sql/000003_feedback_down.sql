DROP TABLE lexeme_total, lexeme, feedback;
