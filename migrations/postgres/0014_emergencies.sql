-- The emergency switch of each plan as people set it last. Computed from the events
-- `emergency_switched`, which say who did it and when.
CREATE TABLE emergencies (
    plan  TEXT NOT NULL PRIMARY KEY,
    json  TEXT NOT NULL          -- the event
);
