DROP TABLE artifacts;
DROP TABLE attempts;
DROP TABLE title_tasks;
DROP TABLE task_needs;
DROP TABLE tasks;
DROP TABLE titles;
